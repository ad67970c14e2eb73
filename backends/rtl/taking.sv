// A reader that takes one beat after the other. `take` in cycle t gives the beat in cycle t + 1.
module taking #(
    parameter BITS = 8,
    parameter ROWS = 1,
    parameter COLUMNS = 1,
    parameter WIDTH = 1,
    parameter BEATS = 1,
    parameter ROW_WORDS = 1,
    parameter ADDRESS = 1,
    parameter SPAN = 1 << ADDRESS
) (
    input  logic                            clk,
    input  logic                            reset,
    input  logic                            take,
    output logic [ROWS*COLUMNS*ADDRESS-1:0] read_address,
    input  logic [ROWS*COLUMNS*BITS-1:0]    read_data,
    output logic [BITS-1:0]                 beat
);
    logic [ADDRESS-1:0] place;
    logic [3:0] row, column;
    logic [7:0] bank_read;

    walk #(
        .ROWS(ROWS), .COLUMNS(COLUMNS), .WIDTH(WIDTH), .BEATS(BEATS), .ROW_WORDS(ROW_WORDS), .ADDRESS(ADDRESS),
        .SPAN(SPAN)
    ) reading (
        .clk(clk), .reset(reset), .step(take), .place(place), .row(row), .column(column)
    );
    localparam [31:0] STRIDE = COLUMNS;
    assign read_address = {ROWS * COLUMNS{place}};
    always_ff @(posedge clk) bank_read <= row * STRIDE[7:0] + {4'd0, column};
    choose #(.N(ROWS * COLUMNS), .WIDTH(BITS), .SELECT(8)) of_bank (
        .words(read_data), .select(bank_read), .word(beat)
    );
endmodule
