// A memory that is only read, one register stage.
module rom #(
    parameter WIDTH = 8,
    parameter WORDS = 1,
    parameter IMAGE = "rom.hex"
) (
    input  logic             clk,
    input  logic [11:0]      address,
    output logic [WIDTH-1:0] word
);
    localparam BITS = (WORDS > 1) ? $clog2(WORDS) : 1;

    logic [WIDTH-1:0] memory[0:WORDS-1];
    initial $readmemh(IMAGE, memory);
    always_ff @(posedge clk) word <= memory[address[BITS-1:0]];
endmodule
