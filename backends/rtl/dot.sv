// One processing element: SIMD products and their sum, one product a multiplier. 1 + clog2(SIMD) stages.
//
// Synthesis makes a multiplier of LUTs where it is written as a sum of rows, one for each bit of the weight.
module dot #(
    parameter SIMD = 1,
    parameter X = 9,
    parameter W = 8,
    parameter SUM = 32,
    parameter SOFT = 0  // whether multipliers are made of LUTs
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
            if (SOFT != 0) begin : of_rows
                logic [X+W-1:0] extended, rows;
                logic negative;
                integer bit_of;
                assign extended = {{W{a[X-1]}}, a};
                assign negative = b[W-1];
                always_comb begin
                    // The highest bit of a weight counts negative.
                    rows = negative ? ~(extended << (W - 1)) : {X + W{1'b0}};
                    rows = rows + {{X + W - 1{1'b0}}, negative};
                    for (bit_of = 0; bit_of < W - 1; bit_of = bit_of + 1)
                        rows = rows + (b[bit_of] ? extended << bit_of : {X + W{1'b0}});
                end
                always_ff @(posedge clk) product <= rows;
            end else begin : whole
                always_ff @(posedge clk) product <= a * b;
            end
            assign products[i*(X+W)+:X+W] = product;
        end
    endgenerate
    tree #(.N(SIMD), .WIDTH(X + W), .OUT(SUM)) total (
        .clk(clk), .terms(products), .carries({SIMD{1'b0}}), .sum(sum), .carry()
    );
endmodule
