// A reader at random: the words of PORT_ROWS x PORT_COLUMNS neighbouring pixels, side by side. The place of the first
// is kept and moved by each `move`: so many banks down and to the right, and so many words in the bank.
// The place of cycle t gives its words in cycle t + 1.
//
// A pixel further down or to the right may lie one row or column of words further on: those places are kept as well,
// and each move is made ready, for each way that it may end, in the cycle in which its word comes to the control.
// So a place is one adder behind a register, and an address none.
module gather #(
    parameter BITS = 8,
    parameter ROWS = 1,
    parameter COLUMNS = 1,
    parameter ROW_WORDS = 1,
    parameter BEATS = 1,
    parameter ADDRESS = 1,
    parameter SPAN = 1 << ADDRESS,  // words of a bank: behind the last one comes the first
    parameter PORT_ROWS = 1,     // 1 or ROWS
    parameter PORT_COLUMNS = 1,  // 1 or COLUMNS
    parameter [3:0] FIRST_ROW = 0,
    parameter [3:0] FIRST_COLUMN = 0,
    parameter [ADDRESS-1:0] FIRST_PLACE = 0
) (
    input  logic                                        clk,
    input  logic                                        reset,
    input  logic                                        step,        // the word of the next phase comes
    input  logic [ADDRESS-1:0]                          next_along,  // `along` of it
    input  logic                                        move,
    input  logic [3:0]                                  down,
    input  logic [3:0]                                  right,
    input  logic [ADDRESS-1:0]                          along,
    output logic [ROWS*COLUMNS*ADDRESS-1:0]             read_address,
    input  logic [ROWS*COLUMNS*BITS-1:0]                read_data,
    output logic [PORT_ROWS*PORT_COLUMNS*BITS-1:0]      words
);
    localparam ROW_STEP = ROW_WORDS % SPAN;
    localparam COLUMN_STEP = BEATS % SPAN;
    localparam [31:0] SPAN_WORDS = SPAN;

    function automatic [ADDRESS-1:0] ahead(input [ADDRESS-1:0] from, input [ADDRESS-1:0] by);
        reg [ADDRESS:0] sum, over;
        begin
            sum = {1'b0, from} + {1'b0, by};
            over = {1'b0, from} + {1'b0, by} - SPAN_WORDS[ADDRESS:0];
            ahead = (SPAN_WORDS[ADDRESS] || over[ADDRESS]) ? sum[ADDRESS-1:0] : over[ADDRESS-1:0];
        end
    endfunction

    // A bank so many further on of `count`, and above it whether that goes round.
    function automatic [4:0] turned(input integer count, input [3:0] from, input [3:0] further);
        integer at, by, there;
        begin
            turned = 5'd0;
            for (at = 0; at < count; at = at + 1)
                for (by = 0; by <= count; by = by + 1) begin
                    there = (at + by >= count) ? at + by - count : at + by;
                    if (from == at[3:0] && further == by[3:0]) turned = {at + by >= count, there[3:0]};
                end
        end
    endfunction

    // Where the first pixel lies, and how its bank's row and column move.
    logic [3:0] row, column, row_moved, column_moved;
    logic row_wraps, column_wraps;
    assign {row_wraps, row_moved} = turned(ROWS, row, down);
    assign {column_wraps, column_moved} = turned(COLUMNS, column, right);
    always_ff @(posedge clk) begin
        if (reset) begin
            row <= FIRST_ROW;
            column <= FIRST_COLUMN;
        end else if (move) begin
            row <= row_moved;
            column <= column_moved;
        end
    end

    // Way w: a row further on where w is odd, a column further on where it is 2 or 3.
    logic [4*ADDRESS-1:0] moves, places;
    logic [ADDRESS-1:0] by_row, by_column, moved;
    assign by_row = (ROWS > 1 && row_wraps) ? moves[ADDRESS+:ADDRESS] : moves[0+:ADDRESS];
    assign by_column = (ROWS > 1 && row_wraps) ? moves[3*ADDRESS+:ADDRESS] : moves[2*ADDRESS+:ADDRESS];
    assign moved = (COLUMNS > 1 && column_wraps) ? by_column : by_row;
    assign moves[0+:ADDRESS] = along;
    genvar w, b, p;
    generate
        for (w = 0; w < 4; w = w + 1) begin : way
            localparam [31:0] STEP = ((w % 2) * ROW_STEP + (w / 2) * COLUMN_STEP) % SPAN;
            localparam [31:0] BEGIN = ({{32 - ADDRESS{1'b0}}, FIRST_PLACE} + STEP) % SPAN_WORDS;
            if (w > 0 && (w % 2 == 0 || ROWS > 1) && (w < 2 || COLUMNS > 1)) begin : carried
                logic [ADDRESS-1:0] further;
                always_ff @(posedge clk) if (step) further <= ahead(next_along, STEP[ADDRESS-1:0]);
                assign moves[w*ADDRESS+:ADDRESS] = further;
            end else if (w > 0) begin : never
                assign moves[w*ADDRESS+:ADDRESS] = {ADDRESS{1'b0}};
            end
            if ((w % 2 == 0 || PORT_ROWS > 1) && (w < 2 || PORT_COLUMNS > 1)) begin : kept
                logic [ADDRESS-1:0] place;
                always_ff @(posedge clk)
                    if (reset) place <= BEGIN[ADDRESS-1:0];
                    else if (move) place <= ahead(place, moved);
                assign places[w*ADDRESS+:ADDRESS] = place;
            end else begin : none
                assign places[w*ADDRESS+:ADDRESS] = {ADDRESS{1'b0}};
            end
        end
        for (b = 0; b < ROWS * COLUMNS; b = b + 1) begin : bank
            localparam [31:0] ROW = b / COLUMNS;
            localparam [31:0] COLUMN = b % COLUMNS;
            logic [1:0] which, which_moved, which_first;
            assign which_moved = {PORT_COLUMNS > 1 && COLUMN[3:0] < column_moved, PORT_ROWS > 1 && ROW[3:0] < row_moved};
            assign which_first = {PORT_COLUMNS > 1 && COLUMN[3:0] < FIRST_COLUMN, PORT_ROWS > 1 && ROW[3:0] < FIRST_ROW};
            always_ff @(posedge clk)
                if (reset) which <= which_first;
                else if (move) which <= which_moved;
            choose #(.N(4), .WIDTH(ADDRESS), .SELECT(2)) of_ways (
                .words(places), .select(which), .word(read_address[b*ADDRESS+:ADDRESS])
            );
        end
        for (p = 0; p < PORT_ROWS * PORT_COLUMNS; p = p + 1) begin : port
            localparam DOWN = p / PORT_COLUMNS;
            localparam RIGHT = p % PORT_COLUMNS;
            logic [7:0] chosen, from;
            integer y, x, bank_from;
            always_comb begin
                from = 8'd0;
                bank_from = 0;
                for (y = 0; y < ROWS; y = y + 1)
                    for (x = 0; x < COLUMNS; x = x + 1)
                        if (row == y[3:0] && column == x[3:0]) begin
                            bank_from = ((y + DOWN) % ROWS) * COLUMNS + (x + RIGHT) % COLUMNS;
                            from = bank_from[7:0];
                        end
            end
            always_ff @(posedge clk) chosen <= from;
            choose #(.N(ROWS * COLUMNS), .WIDTH(BITS), .SELECT(8)) of_banks (
                .words(read_data), .select(chosen), .word(words[p*BITS+:BITS])
            );
        end
    endgenerate
endmodule
