// A chain of registers without reset.
module delay #(
    parameter WIDTH = 1,
    parameter STAGES = 1
) (
    input  logic             clk,
    input  logic [WIDTH-1:0] in,
    output logic [WIDTH-1:0] out
);
    genvar i;
    generate
        if (STAGES == 0) begin : none
            assign out = in;
        end else begin : chain
            logic [STAGES*WIDTH-1:0] kept;
            always_ff @(posedge clk) kept[0+:WIDTH] <= in;
            for (i = 1; i < STAGES; i = i + 1) begin : stage
                always_ff @(posedge clk) kept[i*WIDTH+:WIDTH] <= kept[(i-1)*WIDTH+:WIDTH];
            end
            assign out = kept[(STAGES-1)*WIDTH+:WIDTH];
        end
    endgenerate
endmodule
