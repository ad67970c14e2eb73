// A memory that is only read, one register stage.
module rom #(
    parameter WIDTH = 8,
    parameter WORDS = 1,
    parameter ADDRESS = 1,
    parameter STYLE = "auto",  // what synthesis makes it of
    parameter IMAGE = "rom.hex"
) (
    input  logic               clk,
    input  logic [ADDRESS-1:0] address,
    output logic [WIDTH-1:0]   word
);
    (* rom_style = STYLE *) logic [WIDTH-1:0] memory[0:WORDS-1];
    initial $readmemh(IMAGE, memory);
    generate
        if (WORDS == 1) begin : constant
            assign word = memory[0];
        end else begin : many
            always_ff @(posedge clk) word <= memory[address];
        end
    endgenerate
endmodule
