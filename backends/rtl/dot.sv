// One processing element: SIMD products and their sum, one product a multiplier. 1 + clog2(SIMD) stages.
module dot #(
    parameter SIMD = 1,
    parameter X = 9,
    parameter W = 8,
    parameter SUM = 32
) (
    input  logic              clk,
    input  logic [SIMD*X-1:0] x,
    input  logic [SIMD*W-1:0] w,
    output logic [SUM-1:0]    sum
);
    logic [SIMD*(X+W)-1:0] products;
    genvar i;
    generate
        for (i = 0; i < SIMD; i = i + 1) begin : lane
            logic signed [X-1:0] a;
            logic signed [W-1:0] b;
            logic signed [X+W-1:0] product;
            assign a = x[i*X+:X];
            assign b = w[i*W+:W];
            always_ff @(posedge clk) product <= a * b;
            assign products[i*(X+W)+:X+W] = product;
        end
    endgenerate
    tree #(.N(SIMD), .WIDTH(X + W), .OUT(SUM)) total (
        .clk(clk), .terms(products), .carries({SIMD{1'b0}}), .sum(sum), .carry()
    );
endmodule
