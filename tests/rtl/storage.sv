// The memory of a channel: written beat by beat, row y of the stream in bank y mod BANKS, read at random by
// each reader in every bank. It knows no depth: credits alone keep a place from being overwritten.
// A read is registered: the address of cycle t gives its word in cycle t + 1.
module storage #(
    parameter WIDTH = 8,
    parameter BANKS = 1,
    parameter ROW = 1,      // beats in a row; 1 where BANKS is 1
    parameter ADDRESS = 1,  // a bank has 2 ** ADDRESS words
    parameter READERS = 1
) (
    input  logic                             clk,
    input  logic                             reset,
    input  logic                             write,
    input  logic [WIDTH-1:0]                 write_data,
    input  logic [READERS*BANKS*ADDRESS-1:0] read_address,
    output logic [READERS*BANKS*WIDTH-1:0]   read_data
);
    logic [ADDRESS-1:0] place;
    logic [3:0] bank;

    walk #(.BANKS(BANKS), .ROW(ROW), .ADDRESS(ADDRESS)) writing (
        .clk(clk), .reset(reset), .step(write), .place(place), .bank(bank)
    );

    genvar b, r;
    generate
        for (b = 0; b < BANKS; b = b + 1) begin : banks
            localparam [31:0] OWN = b;
            logic [WIDTH-1:0] memory[0:(1<<ADDRESS)-1];
            always_ff @(posedge clk) if (write && bank == OWN[3:0]) memory[place] <= write_data;
            for (r = 0; r < READERS; r = r + 1) begin : ports
                logic [WIDTH-1:0] word;
                always_ff @(posedge clk) word <= memory[read_address[(r*BANKS+b)*ADDRESS+:ADDRESS]];
                assign read_data[(r*BANKS+b)*WIDTH+:WIDTH] = word;
            end
        end
    endgenerate
endmodule
