// The memory of a channel: written beat by beat, row y and column x of the stream in bank (y mod ROWS, x mod COLUMNS),
// read at random by each reader in every bank. It knows no depth: credits alone keep a place from being overwritten.
// A read is registered: the address of cycle t gives its word in cycle t + 1. No word is read in the cycle in which it
// is written.
//
// Where SHIFT, the one bank is a chain of shift registers for its one reader: a word's place in it is how far the
// writer has come since.
module storage #(
    parameter BITS = 8,
    parameter ROWS = 1,
    parameter COLUMNS = 1,
    parameter WIDTH = 1,
    parameter BEATS = 1,
    parameter ROW_WORDS = 1,
    parameter ADDRESS = 1,
    parameter SPAN = 1 << ADDRESS,  // words of a bank
    parameter READERS = 1,
    parameter SHIFT = 0,            // words of the chain
    parameter STYLE = "auto"        // what synthesis makes it of
) (
    input  logic                                     clk,
    input  logic                                     reset,
    input  logic                                     write,
    input  logic [BITS-1:0]                          write_data,
    input  logic [READERS*ROWS*COLUMNS*ADDRESS-1:0]  read_address,
    output logic [READERS*ROWS*COLUMNS*BITS-1:0]     read_data
);
    localparam BANKS = ROWS * COLUMNS;
    logic [ADDRESS-1:0] place;
    logic [3:0] row, column;

    walk #(
        .ROWS(ROWS), .COLUMNS(COLUMNS), .WIDTH(WIDTH), .BEATS(BEATS), .ROW_WORDS(ROW_WORDS), .ADDRESS(ADDRESS),
        .SPAN(SPAN)
    ) writing (
        .clk(clk), .reset(reset), .step(write), .place(place), .row(row), .column(column)
    );

    genvar b, r;
    generate
        if (SHIFT != 0) begin : shifted
            logic [ADDRESS-1:0] since;
            assign since = place - read_address - 1'b1;
            for (b = 0; b < BITS; b = b + 1) begin : lane
                logic [SHIFT-1:0] chain;
                logic [SHIFT:0] moved;
                logic number;
                assign moved = {chain, write_data[b]};
                always_ff @(posedge clk) if (write) chain <= moved[SHIFT-1:0];
                always_ff @(posedge clk) number <= chain[since];
                assign read_data[b] = number;
            end
        end else begin : addressed
            for (b = 0; b < BANKS; b = b + 1) begin : bank
                localparam [31:0] ROW = b / COLUMNS;
                localparam [31:0] COLUMN = b % COLUMNS;
                (* ram_style = STYLE, no_rw_check *) logic [BITS-1:0] memory[0:SPAN-1];
                always_ff @(posedge clk)
                    if (write && row == ROW[3:0] && column == COLUMN[3:0]) memory[place] <= write_data;
                for (r = 0; r < READERS; r = r + 1) begin : port
                    logic [BITS-1:0] word;
                    always_ff @(posedge clk) word <= memory[read_address[(r*BANKS+b)*ADDRESS+:ADDRESS]];
                    assign read_data[(r*BANKS+b)*BITS+:BITS] = word;
                end
            end
        end
    endgenerate
endmodule
