// Numbers what happens: 0 to COUNT - 1, then again. The number of what happens in cycle t comes in t + 1.
module tally #(
    parameter COUNT = 1,
    parameter BITS = 1
) (
    input  logic            clk,
    input  logic            reset,
    input  logic            happens,
    output logic            happened,
    output logic [BITS-1:0] number
);
    localparam [31:0] LAST = COUNT - 1;
    logic [BITS-1:0] next;
    always_ff @(posedge clk) begin
        happened <= happens;
        number <= next;
        if (reset) next <= {BITS{1'b0}};
        else if (happens) next <= (next == LAST[BITS-1:0]) ? {BITS{1'b0}} : next + 1'b1;
    end
endmodule
