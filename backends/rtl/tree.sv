// An adder tree over N signed numbers with a register at each of its clog2(N) levels. A sum is one bit wider than what it
// is of, until it has the OUT bits that the whole one needs.
//
// With CARRIES each number lacks what its carry says, 0 or 1: an adder takes in that of one of its numbers, the
// other's becomes that of the sum.
module tree #(
    parameter N = 1,
    parameter WIDTH = 8,
    parameter OUT = 8,
    parameter CARRIES = 0
) (
    input  logic               clk,
    input  logic [N*WIDTH-1:0] terms,
    input  logic [N-1:0]       carries,
    output logic [OUT-1:0]     sum,
    output logic               carry
);
    localparam HALF = (N + 1) / 2;
    localparam GROWN = (WIDTH < OUT) ? WIDTH + 1 : OUT;
    genvar i;
    generate
        if (N == 1) begin : leaf
            logic [OUT+WIDTH-1:0] extended;
            assign extended = {{OUT{terms[WIDTH-1]}}, terms};
            assign sum = extended[OUT-1:0];
            assign carry = (CARRIES != 0) ? carries[0] : 1'b0;
        end else begin : level
            logic [HALF*GROWN-1:0] sums;
            logic [HALF-1:0] left;
            for (i = 0; i < HALF; i = i + 1) begin : pair
                logic [GROWN+WIDTH-1:0] a, b;
                assign a = {{GROWN{terms[2*i*WIDTH+WIDTH-1]}}, terms[2*i*WIDTH+:WIDTH]};
                if (2 * i + 1 < N) begin : two
                    assign b = {{GROWN{terms[(2*i+1)*WIDTH+WIDTH-1]}}, terms[(2*i+1)*WIDTH+:WIDTH]};
                    if (CARRIES != 0) begin : carried
                        // The carry comes in beneath both numbers.
                        logic [GROWN:0] raised;
                        assign raised = {a[GROWN-1:0], 1'b1} + {b[GROWN-1:0], carries[2*i]};
                        always_ff @(posedge clk) sums[i*GROWN+:GROWN] <= raised[GROWN:1];
                        always_ff @(posedge clk) left[i] <= carries[2*i+1];
                    end else begin : plain
                        always_ff @(posedge clk) sums[i*GROWN+:GROWN] <= a[GROWN-1:0] + b[GROWN-1:0];
                        assign left[i] = 1'b0;
                    end
                end else begin : one
                    always_ff @(posedge clk) sums[i*GROWN+:GROWN] <= a[GROWN-1:0];
                    if (CARRIES != 0) begin : carried
                        always_ff @(posedge clk) left[i] <= carries[2*i];
                    end else begin : plain
                        assign left[i] = 1'b0;
                    end
                end
            end
            tree #(.N(HALF), .WIDTH(GROWN), .OUT(OUT), .CARRIES(CARRIES)) rest (
                .clk(clk), .terms(sums), .carries(left), .sum(sum), .carry(carry)
            );
        end
    endgenerate
endmodule
