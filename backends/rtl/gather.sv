// A reader at random: the words of PORT_ROWS x PORT_COLUMNS neighbouring pixels, side by side. The place of the first
// is kept and moved by each `move`: so many banks down and to the right, and so many words in the bank.
// The place of cycle t gives its words in cycle t + 1.
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
    input  logic                                        move,
    input  logic [3:0]                                  down,
    input  logic [3:0]                                  right,
    input  logic [ADDRESS-1:0]                          along,
    output logic [ROWS*COLUMNS*ADDRESS-1:0]             read_address,
    input  logic [ROWS*COLUMNS*BITS-1:0]                read_data,
    output logic [PORT_ROWS*PORT_COLUMNS*BITS-1:0]      words
);
    localparam [31:0] ALL_ROWS = ROWS;
    localparam [31:0] ALL_COLUMNS = COLUMNS;
    localparam [31:0] ROW_STEP = ROW_WORDS % SPAN;
    localparam [31:0] COLUMN_STEP = BEATS % SPAN;
    localparam [31:0] SPAN_WORDS = SPAN;

    function automatic [ADDRESS-1:0] ahead(input [ADDRESS-1:0] from, input [ADDRESS-1:0] by);
        reg [ADDRESS:0] sum;
        begin
            sum = {1'b0, from} + {1'b0, by};
            ahead = (sum >= SPAN_WORDS[ADDRESS:0]) ? sum[ADDRESS-1:0] - SPAN_WORDS[ADDRESS-1:0] : sum[ADDRESS-1:0];
        end
    endfunction

    logic [ADDRESS-1:0] place, row_carry, column_carry, moved, across, there;
    logic [3:0] row, column, row_read, column_read;
    logic [4:0] row_sum, column_sum;
    logic row_wraps, column_wraps;
    assign row_sum = {1'b0, row} + {1'b0, down};
    assign column_sum = {1'b0, column} + {1'b0, right};
    assign row_wraps = row_sum >= ALL_ROWS[4:0];
    assign column_wraps = column_sum >= ALL_COLUMNS[4:0];
    assign moved = ahead(place, along);
    assign across = (ROWS > 1) ? ahead(moved, row_carry) : moved;
    assign there = (COLUMNS > 1) ? ahead(across, column_carry) : across;
    assign row_carry = row_wraps ? ROW_STEP[ADDRESS-1:0] : {ADDRESS{1'b0}};
    assign column_carry = column_wraps ? COLUMN_STEP[ADDRESS-1:0] : {ADDRESS{1'b0}};

    always_ff @(posedge clk) begin
        if (reset) begin
            row <= FIRST_ROW;
            column <= FIRST_COLUMN;
            place <= FIRST_PLACE;
        end else if (move) begin
            row <= row_wraps ? row_sum[3:0] - ALL_ROWS[3:0] : row_sum[3:0];
            column <= column_wraps ? column_sum[3:0] - ALL_COLUMNS[3:0] : column_sum[3:0];
            place <= there;
        end
        row_read <= row;
        column_read <= column;
    end

    genvar b, p;
    generate
        for (b = 0; b < ROWS * COLUMNS; b = b + 1) begin : bank
            localparam [31:0] ROW = b / COLUMNS;
            localparam [31:0] COLUMN = b % COLUMNS;
            logic [ADDRESS-1:0] below, behind, lower;
            assign below = (PORT_ROWS > 1 && ROW[3:0] < row) ? ROW_STEP[ADDRESS-1:0] : {ADDRESS{1'b0}};
            assign behind = (PORT_COLUMNS > 1 && COLUMN[3:0] < column) ? COLUMN_STEP[ADDRESS-1:0] : {ADDRESS{1'b0}};
            assign lower = (PORT_ROWS > 1) ? ahead(place, below) : place;
            assign read_address[b*ADDRESS+:ADDRESS] = (PORT_COLUMNS > 1) ? ahead(lower, behind) : lower;
        end
        for (p = 0; p < PORT_ROWS * PORT_COLUMNS; p = p + 1) begin : port
            localparam [31:0] DOWN = p / PORT_COLUMNS;
            localparam [31:0] RIGHT = p % PORT_COLUMNS;
            logic [4:0] at_row, at_column;
            logic [7:0] chosen;
            always_comb begin
                at_row = {1'b0, row_read} + DOWN[4:0];
                if (at_row >= ALL_ROWS[4:0]) at_row = at_row - ALL_ROWS[4:0];
                at_column = {1'b0, column_read} + RIGHT[4:0];
                if (at_column >= ALL_COLUMNS[4:0]) at_column = at_column - ALL_COLUMNS[4:0];
                chosen = {3'd0, at_row} * ALL_COLUMNS[7:0] + {3'd0, at_column};
            end
            if (ROWS * COLUMNS == 1) begin : plain
                assign words[p*BITS+:BITS] = read_data;
            end else begin : banked
                assign words[p*BITS+:BITS] = read_data[chosen*BITS+:BITS];
            end
        end
    endgenerate
endmodule
