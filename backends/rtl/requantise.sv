// One number: clamp(round((acc m + skip m' + offset) / 2^SHIFT)) + ZERO. Scale, sum (only where ADD) and rounding: 2 + ADD
// stages. Factors are numbers, or exponents of two where POWERS. Halves that are rounded up are part of the offset; MODE
// says what else is done: 0 nothing (towards minus infinity), 1 ties to even, 2 ties away from zero (the offset holds
// the half), 3 away from zero, 4 towards zero.
module requantise #(
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
    input  logic                          clk,
    input  logic signed [ACC-1:0]         acc,
    input  logic [FACTOR-1:0]             factor,
    input  logic signed [TOTAL-1:0]       offset,
    input  logic signed [SKIP-1:0]        skip,
    input  logic [SKIP_FACTOR-1:0]        skip_factor,
    output logic [BITS-1:0]               code
);
    logic signed [TOTAL-1:0] scaled, total;
    scale #(.IN(ACC), .FACTOR(FACTOR), .POWERS(POWERS), .OUT(TOTAL)) own (
        .clk(clk), .in(acc), .factor(factor), .offset(offset), .out(scaled)
    );
    generate
        if (ADD != 0) begin : add
            logic signed [TOTAL-1:0] other;
            scale #(.IN(SKIP), .FACTOR(SKIP_FACTOR), .POWERS(SKIP_POWERS), .OUT(TOTAL)) beside (
                .clk(clk), .in(skip), .factor(skip_factor), .offset({TOTAL{1'b0}}), .out(other)
            );
            always_ff @(posedge clk) total <= scaled + other;
        end else begin : alone
            assign total = scaled;
        end
    endgenerate

    localparam [TOTAL-1:0] ONE = 1;
    localparam [TOTAL-1:0] BELOW = (ONE << SHIFT) - ONE;
    localparam [TOTAL-1:0] UNIT = (SHIFT == 0) ? {TOTAL{1'b0}} : ONE;
    logic signed [TOTAL-1:0] moved, floor, rounded;
    logic negative, none, tie;
    assign negative = total[TOTAL-1];
    assign none = total == {TOTAL{1'b0}};
    assign tie = (total & BELOW) == {TOTAL{1'b0}};
    generate
        if (MODE == 2) begin : ties_away
            // The half is in the offset: what was below zero without it is one unit lower.
            logic signed [TOTAL-1:0] bare;
            assign bare = total - $signed((ONE << SHIFT) >> 1);
            assign moved = bare[TOTAL-1] ? total - $signed(UNIT) : total;
        end else if (MODE == 3) begin : away
            assign moved = (negative || none) ? total : total + $signed(BELOW);
        end else if (MODE == 4) begin : to_zero
            assign moved = negative ? total + $signed(BELOW) : total;
        end else begin : down
            assign moved = total;
        end
        if (MODE == 1 && SHIFT != 0) begin : even
            assign rounded = (tie && floor[0]) ? floor - $signed(ONE) : floor;
        end else begin : plain
            assign rounded = floor;
        end
    endgenerate
    assign floor = moved >>> SHIFT;

    localparam signed [31:0] LOWEST = LOW + ZERO;
    localparam signed [31:0] HIGHEST = HIGH + ZERO;
    generate
        if (CLAMP != 0) begin : limited
            logic signed [TOTAL+31:0] wide;
            assign wide = {{32{rounded[TOTAL-1]}}, rounded};
            always_ff @(posedge clk) begin
                if (wide < $signed({{TOTAL{LOW[31]}}, LOW})) code <= LOWEST[BITS-1:0];
                else if (wide > $signed({{TOTAL{HIGH[31]}}, HIGH})) code <= HIGHEST[BITS-1:0];
                else code <= wide[BITS-1:0] + ZERO[BITS-1:0];
            end
        end else begin : whole
            if (BITS > TOTAL) begin : wider
                always_ff @(posedge clk) code <= {{BITS - TOTAL{rounded[TOTAL-1]}}, rounded};
            end else begin : narrower
                always_ff @(posedge clk) code <= rounded[BITS-1:0];
            end
        end
    endgenerate
endmodule
