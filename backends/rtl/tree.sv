// An adder tree over N signed numbers with a register at each of its clog2(N) levels.
module tree #(
    parameter N = 1,
    parameter WIDTH = 8
) (
    input  logic               clk,
    input  logic [N*WIDTH-1:0] terms,
    output logic [WIDTH-1:0]   sum
);
    localparam HALF = (N + 1) / 2;
    genvar i;
    generate
        if (N == 1) begin : leaf
            assign sum = terms;
        end else begin : level
            logic [HALF*WIDTH-1:0] sums;
            for (i = 0; i < HALF; i = i + 1) begin : pair
                if (2 * i + 1 < N) begin : two
                    always_ff @(posedge clk)
                        sums[i*WIDTH+:WIDTH] <= terms[2*i*WIDTH+:WIDTH] + terms[(2*i+1)*WIDTH+:WIDTH];
                end else begin : one
                    always_ff @(posedge clk) sums[i*WIDTH+:WIDTH] <= terms[2*i*WIDTH+:WIDTH];
                end
            end
            tree #(.N(HALF), .WIDTH(WIDTH)) rest (.clk(clk), .terms(sums), .sum(sum));
        end
    endgenerate
endmodule
