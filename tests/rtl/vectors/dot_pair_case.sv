// Operands a clock into dot_pair, both sums held against those in the file 1 + clog2(SIMD) clocks later.
//
// A word of the file, from its lowest bit on: x, low, high, low sum, high sum.
module dot_pair_case #(
    parameter CASE = 0,
    parameter COUNT = 1,
    parameter VECTORS = "vectors.hex",
    parameter SIMD = 1,
    parameter X = 9,
    parameter W = 8,
    parameter SUM = 20,
    parameter LENT = 0
) (
    input logic        clk,
    input logic [31:0] at
);
    localparam STAGES = 1 + $clog2(SIMD);
    localparam WIDTH = SIMD * (X + 2 * W) + 2 * SUM;
    logic [WIDTH-1:0] vectors[0:COUNT-1];
    initial $readmemh(VECTORS, vectors);

    logic [WIDTH-1:0] given, old;
    logic [SUM-1:0] low_sum, high_lacking, high_sum;
    logic high_carry;
    logic [2*SUM-1:0] wanted;
    assign high_sum = high_lacking + {{SUM - 1{1'b0}}, high_carry};
    assign given = (at < COUNT) ? vectors[at] : vectors[0];
    assign old = (at >= STAGES && at < COUNT + STAGES) ? vectors[at-STAGES] : vectors[0];
    assign wanted = old[WIDTH-1-:2*SUM];
    dot_pair #(.SIMD(SIMD), .X(X), .W(W), .SUM(SUM), .LENT(LENT)) under_test (
        .clk(clk), .x(given[0+:SIMD*X]), .low(given[SIMD*X+:SIMD*W]), .high(given[SIMD*(X+W)+:SIMD*W]),
        .low_sum(low_sum), .high_sum(high_lacking), .high_carry(high_carry)
    );
    always_ff @(posedge clk)
        if (at >= STAGES && at < COUNT + STAGES) begin
            if ({high_sum, low_sum} != wanted)
                $display("differs %0d %0d: %h and not %h", CASE, at - STAGES, {high_sum, low_sum}, wanted);
            if (at == COUNT + STAGES - 1) $display("compared %0d", COUNT);
        end
endmodule
