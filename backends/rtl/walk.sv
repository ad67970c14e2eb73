// Walks through a channel's banks in the order of the beats: the writer's place, or that of a reader which takes one
// beat after the other. Row y and column x of the stream lie in bank (y mod ROWS, x mod COLUMNS).
module walk #(
    parameter ROWS = 1,
    parameter COLUMNS = 1,
    parameter WIDTH = 1,     // pixels a row
    parameter BEATS = 1,     // beats a pixel
    parameter ROW_WORDS = 1, // words that a row takes in a bank
    parameter ADDRESS = 1,
    parameter SPAN = 1 << ADDRESS  // words of a bank: behind the last one comes the first
) (
    input  logic               clk,
    input  logic               reset,
    input  logic               step,
    output logic [ADDRESS-1:0] place,
    output logic [3:0]         row,
    output logic [3:0]         column
);
    localparam [31:0] LAST = SPAN - 1;
    logic [ADDRESS-1:0] following;
    assign following = (place == LAST[ADDRESS-1:0]) ? {ADDRESS{1'b0}} : place + 1'b1;
    generate
        if (ROWS == 1 && COLUMNS == 1) begin : plain
            assign row = 4'd0;
            assign column = 4'd0;
            always_ff @(posedge clk)
                if (reset) place <= {ADDRESS{1'b0}};
                else if (step) place <= following;
        end else begin : banked
            localparam [31:0] LAST_ROW = ROWS - 1;
            localparam [31:0] LAST_COLUMN = COLUMNS - 1;
            localparam [31:0] LAST_PIXEL = WIDTH - 1;
            localparam [31:0] LAST_BEAT = BEATS - 1;
            localparam [31:0] ROW_STEP = ROW_WORDS % SPAN;
            localparam [31:0] OVER = ROW_STEP - SPAN;
            // First words of the row and pixel in the bank, and of the row behind.
            logic [ADDRESS-1:0] row_base, pixel_base, row_next;
            logic [ADDRESS:0] row_sum, row_over;
            logic [15:0] pixel, beat;
            assign row_sum = {1'b0, row_next} + ROW_STEP[ADDRESS:0];
            assign row_over = {1'b0, row_next} + OVER[ADDRESS:0];
            always_ff @(posedge clk) begin
                if (reset) begin
                    row_base <= {ADDRESS{1'b0}};
                    row_next <= ROW_STEP[ADDRESS-1:0];
                    pixel_base <= {ADDRESS{1'b0}};
                    place <= {ADDRESS{1'b0}};
                    pixel <= 16'd0;
                    beat <= 16'd0;
                    row <= 4'd0;
                    column <= 4'd0;
                end else if (step) begin
                    if (beat != LAST_BEAT[15:0]) begin
                        beat <= beat + 16'd1;
                        place <= following;
                    end else begin
                        beat <= 16'd0;
                        if (pixel == LAST_PIXEL[15:0]) begin
                            pixel <= 16'd0;
                            column <= 4'd0;
                            row <= (row == LAST_ROW[3:0]) ? 4'd0 : row + 4'd1;
                            if (row == LAST_ROW[3:0]) begin
                                row_base <= row_next;
                                row_next <= (SPAN == 1 << ADDRESS || row_over[ADDRESS]) ? row_sum[ADDRESS-1:0]
                                    : row_over[ADDRESS-1:0];
                                pixel_base <= row_next;
                                place <= row_next;
                            end else begin
                                pixel_base <= row_base;
                                place <= row_base;
                            end
                        end else begin
                            pixel <= pixel + 16'd1;
                            column <= (column == LAST_COLUMN[3:0]) ? 4'd0 : column + 4'd1;
                            if (column == LAST_COLUMN[3:0]) begin
                                pixel_base <= following;
                                place <= following;
                            end else place <= pixel_base;
                        end
                    end
                end
            end
        end
    endgenerate
endmodule
