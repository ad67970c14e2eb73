// Two processing elements on one set of multipliers: (high 2^K + low) x gives both products at once.
//
// The low field of a sum is a signed number of K bits; where it is negative it has borrowed one from the high field,
// which is put back when the fields are parted. A product of a uint8 or an int8 and an int8 takes 16 bits, so 2^(K - 16)
// of them are summed packed, in K - 16 tree levels; then the fields are parted, one stage, and the rest of the tree
// adds them apart. K is 18 where an operand of a multiplier has 27 bits, 16 where it has 25. 2 + clog2(SIMD) stages.
module dot_pair #(
    parameter SIMD = 1,
    parameter X = 9,
    parameter W = 8,
    parameter SUM = 32,
    parameter K = 18
) (
    input  logic              clk,
    input  logic [SIMD*X-1:0] x,
    input  logic [SIMD*W-1:0] low,
    input  logic [SIMD*W-1:0] high,
    output logic [SUM-1:0]    low_sum,
    output logic [SUM-1:0]    high_sum
);
    localparam WIDE = K + W + 1;
    localparam PACKED = 2 * K;
    localparam GROUP = 1 << (K - 16);
    localparam IN = (SIMD < GROUP) ? SIMD : GROUP;
    localparam GROUPS = (SIMD + IN - 1) / IN;

    logic [GROUPS*IN*PACKED-1:0] products;
    logic [GROUPS*SUM-1:0] lows, highs;

    genvar i;
    generate
        for (i = 0; i < GROUPS * IN; i = i + 1) begin : lane
            if (i < SIMD) begin : used
                logic signed [W-1:0] a, b;
                logic signed [X-1:0] c;
                logic signed [WIDE-1:0] both;
                logic signed [17:0] shared;
                logic signed [WIDE+17:0] product;
                assign a = high[i*W+:W];
                assign b = low[i*W+:W];
                assign c = x[i*X+:X];
                assign both = {a[W-1], a, {K{1'b0}}} + {{WIDE - W{b[W-1]}}, b};
                assign shared = {{18 - X{c[X-1]}}, c};
                always_ff @(posedge clk) product <= both * shared;
                assign products[i*PACKED+:PACKED] = product[PACKED-1:0];
            end else begin : filler
                assign products[i*PACKED+:PACKED] = 0;
            end
        end
        for (i = 0; i < GROUPS; i = i + 1) begin : group
            logic [PACKED-1:0] total;
            logic [SUM-1:0] low_part, high_part;
            tree #(.N(IN), .WIDTH(PACKED)) packed_sum (
                .clk(clk), .terms(products[i*IN*PACKED+:IN*PACKED]), .sum(total)
            );
            always_ff @(posedge clk) begin
                low_part <= {{SUM - K{total[K-1]}}, total[K-1:0]};
                high_part <= {{SUM - K{total[2*K-1]}}, total[2*K-1:K]} + {{SUM - 1{1'b0}}, total[K-1]};
            end
            assign lows[i*SUM+:SUM] = low_part;
            assign highs[i*SUM+:SUM] = high_part;
        end
    endgenerate
    tree #(.N(GROUPS), .WIDTH(SUM)) low_total (.clk(clk), .terms(lows), .sum(low_sum));
    tree #(.N(GROUPS), .WIDTH(SUM)) high_total (.clk(clk), .terms(highs), .sum(high_sum));
endmodule
