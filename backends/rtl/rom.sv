// A memory that is only read, STAGES register stages: one, or two of which the second stands behind a block RAM, whose
// read is slow, and in front of logic, where it is narrower.
module rom #(
    parameter WIDTH = 8,
    parameter WORDS = 1,
    parameter ADDRESS = 1,
    parameter STAGES = 1,
    parameter STYLE = "auto",  // what synthesis makes it of
    parameter IMAGE = "rom.hex"
) (
    input  logic               clk,
    input  logic [ADDRESS-1:0] address,
    output logic [WIDTH-1:0]   word
);
    /* verilator lint_off WIDTH */
    localparam SLOW = STYLE == "block" || STYLE == "ultra";
    /* verilator lint_on WIDTH */
    (* rom_style = STYLE *) logic [WIDTH-1:0] memory[0:WORDS-1];
    initial $readmemh(IMAGE, memory);
    generate
        if (WORDS == 1) begin : constant
            assign word = memory[0];
        end else if (STAGES == 2 && SLOW) begin : behind
            logic [WIDTH-1:0] read;
            always_ff @(posedge clk) begin
                read <= memory[address];
                word <= read;
            end
        end else if (STAGES == 2) begin : in_front
            logic [ADDRESS-1:0] later;
            always_ff @(posedge clk) begin
                later <= address;
                word <= memory[later];
            end
        end else begin : many
            always_ff @(posedge clk) word <= memory[address];
        end
    endgenerate
endmodule
