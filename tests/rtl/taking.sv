// A reader that takes one beat after the other. `take` in cycle t gives the beat in cycle t + 1.
module taking #(
    parameter WIDTH = 8,
    parameter BANKS = 1,
    parameter ROW = 1,
    parameter ADDRESS = 1
) (
    input  logic                     clk,
    input  logic                     reset,
    input  logic                     take,
    output logic [BANKS*ADDRESS-1:0] read_address,
    input  logic [BANKS*WIDTH-1:0]   read_data,
    output logic [WIDTH-1:0]         beat
);
    logic [ADDRESS-1:0] place;
    logic [3:0] bank, bank_read;

    walk #(.BANKS(BANKS), .ROW(ROW), .ADDRESS(ADDRESS)) reading (
        .clk(clk), .reset(reset), .step(take), .place(place), .bank(bank)
    );
    assign read_address = {BANKS{place}};
    always_ff @(posedge clk) bank_read <= bank;
    assign beat = read_data[bank_read*WIDTH+:WIDTH];
endmodule
