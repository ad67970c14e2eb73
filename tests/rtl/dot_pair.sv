// Two processing elements on one set of multipliers: (high 2^18 + low) x gives both products at once.
//
// The low field of a sum is a signed 18 bit number; where it is negative it has borrowed one from the high field,
// which is put back when the fields are parted. Four products are summed packed, two tree levels, which
// no int8 x int8 and no uint8 x int8 can overflow; the rest of the tree adds the fields apart. 1 + clog2(SIMD) stages.
module dot_pair #(
    parameter SIMD = 1,
    parameter X = 9,
    parameter W = 8,
    parameter SUM = 32,
    parameter GROUP = 4
) (
    input  logic              clk,
    input  logic [SIMD*X-1:0] x,
    input  logic [SIMD*W-1:0] low,
    input  logic [SIMD*W-1:0] high,
    output logic [SUM-1:0]    low_sum,
    output logic [SUM-1:0]    high_sum
);
    localparam K = 18;
    localparam PACKED = 48;
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
                logic signed [26:0] both;
                logic signed [17:0] shared;
                logic signed [44:0] product;
                assign a = high[i*W+:W];
                assign b = low[i*W+:W];
                assign c = x[i*X+:X];
                assign both = {a[W-1], a, {K{1'b0}}} + {{27 - W{b[W-1]}}, b};
                assign shared = {{18 - X{c[X-1]}}, c};
                always_ff @(posedge clk) product <= both * shared;
                assign products[i*PACKED+:PACKED] = {{PACKED - 45{product[44]}}, product};
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
            assign low_part = {{SUM - K{total[K-1]}}, total[K-1:0]};
            assign high_part = {{SUM - (PACKED - K){total[PACKED-1]}}, total[PACKED-1:K]}
                + {{SUM - 1{1'b0}}, total[K-1]};
            assign lows[i*SUM+:SUM] = low_part;
            assign highs[i*SUM+:SUM] = high_part;
        end
    endgenerate
    tree #(.N(GROUPS), .WIDTH(SUM)) low_total (.clk(clk), .terms(lows), .sum(low_sum));
    tree #(.N(GROUPS), .WIDTH(SUM)) high_total (.clk(clk), .terms(highs), .sum(high_sum));
endmodule
