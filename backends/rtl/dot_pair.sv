// Two processing elements on one set of multipliers: (high 2^K + low) x gives both products at once.
//
// K bits hold a product, and the low one as a signed number: where it is negative it has borrowed one from the high one,
// which the adders behind put back as a carry. 1 + clog2(SIMD) stages; the high sum lacks its carry.
module dot_pair #(
    parameter SIMD = 1,
    parameter X = 9,    // bits of an operand: a code's, and one that makes it signed
    parameter W = 8,
    parameter SUM = 32,
    parameter LENT = 0  // whether a high weight is less by one already where its low one is negative
) (
    input  logic              clk,
    input  logic [SIMD*X-1:0] x,
    input  logic [SIMD*W-1:0] low,
    input  logic [SIMD*W-1:0] high,
    output logic [SUM-1:0]    low_sum,
    output logic [SUM-1:0]    high_sum,
    output logic              high_carry
);
    localparam K = X - 1 + W;
    localparam WIDE = K + W + 1;

    logic [SIMD*K-1:0] lows, highs;
    logic [SIMD-1:0] borrowed;
    genvar i;
    generate
        for (i = 0; i < SIMD; i = i + 1) begin : lane
            logic signed [W-1:0] a, b;
            logic signed [X-1:0] c;
            logic signed [WIDE-1:0] both;
            logic signed [17:0] shared;
            logic signed [WIDE+17:0] product;
            assign a = high[i*W+:W];
            assign b = low[i*W+:W];
            assign c = x[i*X+:X];
            if (LENT != 0) begin : joined
                assign both = {a[W-1], a, {K - W{b[W-1]}}, b};
            end else begin : summed
                assign both = {a[W-1], a, {K{1'b0}}} + {{WIDE - W{b[W-1]}}, b};
            end
            assign shared = {{18 - X{c[X-1]}}, c};
            always_ff @(posedge clk) product <= both * shared;
            assign lows[i*K+:K] = product[0+:K];
            assign highs[i*K+:K] = product[K+:K];
            assign borrowed[i] = product[K-1];
        end
    endgenerate
    tree #(.N(SIMD), .WIDTH(K), .OUT(SUM)) low_total (
        .clk(clk), .terms(lows), .carries({SIMD{1'b0}}), .sum(low_sum), .carry()
    );
    tree #(.N(SIMD), .WIDTH(K), .OUT(SUM), .CARRIES(1)) high_total (
        .clk(clk), .terms(highs), .carries(borrowed), .sum(high_sum), .carry(high_carry)
    );
endmodule
