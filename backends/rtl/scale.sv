// in * factor + offset, one stage; the factor is an exponent of two where POWERS.
module scale #(
    parameter IN = 8,
    parameter FACTOR = 1,
    parameter POWERS = 0,
    parameter OUT = 16  // more than IN
) (
    input  logic                  clk,
    input  logic signed [IN-1:0]  in,
    input  logic [FACTOR-1:0]     factor,
    input  logic signed [OUT-1:0] offset,
    output logic signed [OUT-1:0] out
);
    logic signed [OUT-1:0] wide, product;
    assign wide = {{OUT - IN{in[IN-1]}}, in};
    generate
        if (POWERS != 0) begin : shifted
            assign product = wide <<< factor;
        end else begin : multiplied
            logic signed [FACTOR:0] whole;
            assign whole = {1'b0, factor};
            assign product = in * whole;
        end
    endgenerate
    always_ff @(posedge clk) out <= product + offset;
endmodule
