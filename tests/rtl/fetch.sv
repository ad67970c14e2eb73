// The address of a fetch in every bank, and the words that come back in the order of the kernel's rows.
//
// Row y of frame f lies in bank (f H + y) mod BANKS; `turn` is f H mod BANKS. The micro word carries the
// fetch's first row as (row mod BANKS, words before it in its bank); the base moves on with the frame's last phase.
module fetch #(
    parameter WIDTH = 8,
    parameter BANKS = 1,
    parameter ROW = 1,      // beats in a row of the map
    parameter ROWS = 1,     // rows of the map
    parameter ADDRESS = 1,
    parameter PORTS = 1     // rows that a fetch brings
) (
    input  logic                     clk,
    input  logic                     reset,
    input  logic                     frame_end,
    input  logic [3:0]               row_bank,
    input  logic [15:0]              row_word,
    output logic [BANKS*ADDRESS-1:0] read_address,
    input  logic [BANKS*WIDTH-1:0]   read_data,
    output logic [PORTS*WIDTH-1:0]   words     // one cycle after the address
);
    localparam [31:0] BEATS = ROW;
    localparam [31:0] FULL = (ROWS / BANKS) * ROW;
    localparam [31:0] TURN = ROWS % BANKS;
    localparam [31:0] ONCE = BANKS;
    localparam [31:0] TWICE = 2 * BANKS;

    logic [5:0] turn, turned;
    logic [15:0] base;
    assign turned = turn + TURN[5:0];

    always_ff @(posedge clk) begin
        if (reset) begin
            turn <= 0;
            base <= 0;
        end else if (frame_end) begin
            turn <= (turned >= ONCE[5:0]) ? turned - ONCE[5:0] : turned;
            base <= base + FULL[15:0] + ((turned >= ONCE[5:0]) ? BEATS[15:0] : 16'd0);
        end
    end

    // Row i of the fetch: its bank, and its word there.
    logic [PORTS*6-1:0] banks;
    logic [PORTS*ADDRESS-1:0] places;
    genvar i, b;
    generate
        for (i = 0; i < PORTS; i = i + 1) begin : rows
            localparam [5:0] OFFSET = i;
            logic [5:0] sum, bank, bank_read;
            logic [15:0] place;
            always_comb begin
                sum = turn + {2'b0, row_bank} + OFFSET;
                bank = sum;
                place = base + row_word;
                if (sum >= TWICE[5:0]) begin
                    bank = sum - TWICE[5:0];
                    place = base + row_word + BEATS[15:0] + BEATS[15:0];
                end else if (sum >= ONCE[5:0]) begin
                    bank = sum - ONCE[5:0];
                    place = base + row_word + BEATS[15:0];
                end
            end
            assign banks[i*6+:6] = bank;
            assign places[i*ADDRESS+:ADDRESS] = place[ADDRESS-1:0];
            always_ff @(posedge clk) bank_read <= bank;
            assign words[i*WIDTH+:WIDTH] = read_data[bank_read*WIDTH+:WIDTH];
        end
        for (b = 0; b < BANKS; b = b + 1) begin : addresses
            localparam [31:0] BANK = b;
            logic [ADDRESS-1:0] first, place;
            integer k;
            assign first = places[0+:ADDRESS];
            always_comb begin
                place = first;
                for (k = 1; k < PORTS; k = k + 1)
                    if (banks[k*6+:6] == BANK[5:0]) place = places[k*ADDRESS+:ADDRESS];
            end
            assign read_address[b*ADDRESS+:ADDRESS] = place;
        end
    endgenerate
endmodule
