// One way to codes: a vector a clock into requantise, each code held against the one in the file 2 + ADD clocks later.
//
// A word of the file, from its lowest bit on: acc, factor, offset, skip, skip factor, code.
module requantise_case #(
    parameter CASE = 0,
    parameter COUNT = 1,
    parameter VECTORS = "vectors.hex",
    parameter ACC = 32,
    parameter FACTOR = 16,
    parameter POWERS = 0,
    parameter TOTAL = 48,
    parameter SHIFT = 8,
    parameter MODE = 0,
    parameter ADD = 0,
    parameter SKIP = 9,
    parameter SKIP_FACTOR = 16,
    parameter SKIP_POWERS = 0,
    parameter CLAMP = 1,
    parameter signed [31:0] LOW = 0,
    parameter signed [31:0] HIGH = 255,
    parameter signed [31:0] ZERO = 0,
    parameter BITS = 8
) (
    input logic        clk,
    input logic [31:0] at
);
    localparam STAGES = 2 + ADD;
    localparam WIDTH = ACC + FACTOR + TOTAL + SKIP + SKIP_FACTOR + BITS;
    logic [WIDTH-1:0] vectors[0:COUNT-1];
    initial $readmemh(VECTORS, vectors);

    logic [WIDTH-1:0] given, old;
    logic [BITS-1:0] code, wanted;
    assign given = (at < COUNT) ? vectors[at] : vectors[0];
    assign old = (at >= STAGES && at < COUNT + STAGES) ? vectors[at-STAGES] : vectors[0];
    assign wanted = old[WIDTH-1-:BITS];
    requantise #(
        .ACC(ACC), .FACTOR(FACTOR), .POWERS(POWERS), .TOTAL(TOTAL), .SHIFT(SHIFT), .MODE(MODE), .ADD(ADD),
        .SKIP(SKIP), .SKIP_FACTOR(SKIP_FACTOR), .SKIP_POWERS(SKIP_POWERS), .CLAMP(CLAMP), .LOW(LOW), .HIGH(HIGH),
        .ZERO(ZERO), .BITS(BITS)
    ) under_test (
        .clk(clk), .acc(given[0+:ACC]), .factor(given[ACC+:FACTOR]), .offset(given[ACC+FACTOR+:TOTAL]),
        .skip(given[ACC+FACTOR+TOTAL+:SKIP]), .skip_factor(given[ACC+FACTOR+TOTAL+SKIP+:SKIP_FACTOR]), .code(code)
    );
    always_ff @(posedge clk)
        if (at >= STAGES && at < COUNT + STAGES) begin
            if (code != wanted) $display("differs %0d %0d: %h and not %h", CASE, at - STAGES, code, wanted);
            if (at == COUNT + STAGES - 1) $display("compared %0d", COUNT);
        end
endmodule
