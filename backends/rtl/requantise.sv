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

    // The floor, what rounding adds to it, and on which side of the limits the sum is: side by side.
    localparam FLOOR = (TOTAL > SHIFT) ? TOTAL - SHIFT : 1;
    logic signed [FLOOR-1:0] floor;
    logic negative, tie, lower, upper;
    assign floor = total[TOTAL-1-:FLOOR];
    assign negative = total[TOTAL-1];
    generate
        if (SHIFT == 0) begin : no_rest
            assign tie = 1'b1;
        end else begin : rest
            localparam REST = (SHIFT < TOTAL) ? SHIFT : TOTAL;
            assign tie = total[REST-1:0] == {REST{1'b0}};
        end
        // Ties away from zero: the half is in the offset, so that a tie's floor is one too high where it is 0 or less.
        assign lower = SHIFT != 0 && tie && ((MODE == 1) ? floor[0]
            : (MODE == 2) && (negative || floor == {FLOOR{1'b0}}));
        assign upper = SHIFT != 0 && !tie && ((MODE == 3) ? !negative : (MODE == 4) && negative);
    endgenerate

    // One adder: the place below the last one carries.
    localparam signed [31:0] AT = (CLAMP != 0) ? ZERO : 0;
    localparam signed [31:0] DOWN = (MODE == 1 || MODE == 2) ? AT - 1 : AT;
    localparam KEPT = (FLOOR > BITS) ? FLOOR : BITS;
    logic signed [KEPT-1:0] wide;
    logic signed [BITS+31:0] moved_by;
    logic [BITS:0] moved;
    logic carry;
    generate
        if (KEPT > FLOOR) begin : wider
            assign wide = {{KEPT - FLOOR{floor[FLOOR-1]}}, floor};
        end else begin : as_wide
            assign wide = floor;
        end
    endgenerate
    assign moved_by = {{BITS{DOWN[31]}}, DOWN};
    assign carry = (MODE == 1 || MODE == 2) ? !lower : upper;
    assign moved = {wide[BITS-1:0], 1'b1} + {moved_by[BITS-1:0], carry};
    generate
        if (CLAMP != 0) begin : limited
            // As wide as the floor where that holds the limits and one beyond.
            localparam REACH = (FLOOR < 31) ? 1 << (FLOOR - 1) : 32'h3fffffff;
            localparam LIMIT = (LOW > -REACH && HIGH < REACH - 1) ? FLOOR : (FLOOR > 34) ? FLOOR : 34;
            localparam signed [31:0] LOWEST = LOW + ZERO;
            localparam signed [31:0] HIGHEST = HIGH + ZERO;
            localparam signed [LIMIT-1:0] UNIT = 1;
            logic signed [LIMIT+31:0] low_wide, high_wide, whole_wide;
            logic signed [LIMIT-1:0] whole, least, most;
            logic below, above;
            assign low_wide = {{LIMIT{LOW[31]}}, LOW};
            assign high_wide = {{LIMIT{HIGH[31]}}, HIGH};
            assign whole_wide = {{LIMIT + 32 - FLOOR{floor[FLOOR-1]}}, floor};
            assign least = low_wide[LIMIT-1:0];
            assign most = high_wide[LIMIT-1:0];
            assign whole = whole_wide[LIMIT-1:0];
            assign below = (whole < least && !(upper && whole == least - UNIT)) || (lower && whole == least);
            assign above = (whole > most && !(lower && whole == most + UNIT)) || (upper && whole == most);
            always_ff @(posedge clk) code <= below ? LOWEST[BITS-1:0] : above ? HIGHEST[BITS-1:0] : moved[BITS:1];
        end else begin : whole
            always_ff @(posedge clk) code <= moved[BITS:1];
        end
    endgenerate
endmodule
