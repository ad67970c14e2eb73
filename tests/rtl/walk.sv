// Walks through a channel's banks in the order of the beats: the writer's place, or that of a reader which
// takes one beat after the other.
module walk #(
    parameter BANKS = 1,
    parameter ROW = 1,
    parameter ADDRESS = 1
) (
    input  logic               clk,
    input  logic               reset,
    input  logic               step,
    output logic [ADDRESS-1:0] place,
    output logic [3:0]         bank
);
    localparam [31:0] LAST_BANK = BANKS - 1;
    localparam [31:0] LAST_COLUMN = ROW - 1;

    logic [ADDRESS-1:0] base;
    logic [15:0] column;

    assign place = base + column[ADDRESS-1:0];

    always_ff @(posedge clk) begin
        if (reset) begin
            base <= 0;
            column <= 0;
            bank <= 0;
        end else if (step) begin
            if (column == LAST_COLUMN[15:0]) begin
                column <= 0;
                bank <= (bank == LAST_BANK[3:0]) ? 4'd0 : bank + 4'd1;
                if (bank == LAST_BANK[3:0]) base <= base + ROW[ADDRESS-1:0];
            end else column <= column + 16'd1;
        end
    end
endmodule
