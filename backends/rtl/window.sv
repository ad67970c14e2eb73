// The held window and its staging registers.
//
// A fetched beat goes to staging in the cycle after its address; a load shifts the window left by COLUMNS and takes a
// slot of staging into the right-hand columns, masked entries as ZERO. Load and operand select both act two cycles
// after their phase's start, so that the phase of a load still reads the old window.
module window #(
    parameter KH = 1,
    parameter KW = 1,        // the extent of dilated taps
    parameter CHANNELS = 1,
    parameter BITS = 8,
    parameter LANES = 1,
    parameter COLUMNS = 1,   // columns that an advance brings
    parameter SLOTS = 1,
    parameter PORTS = 1,
    parameter [BITS-1:0] ZERO = 0
) (
    input  logic                            clk,
    // one cycle after the phase's start
    input  logic                            fetch,
    input  logic [3:0]                      fetch_row,
    input  logic [3:0]                      fetch_column,
    input  logic [1:0]                      fetch_slot,
    input  logic [11:0]                     fetch_beat,
    input  logic [PORTS*LANES*BITS-1:0]     words,
    // two cycles after the phase's start
    input  logic                            load,
    input  logic [1:0]                      load_slot,
    input  logic [KH-1:0]                   row_mask,
    input  logic [COLUMNS-1:0]              column_mask,
    input  logic                            clear,
    output logic [KH*KW*CHANNELS*BITS-1:0]  held
);
    localparam PIXEL = CHANNELS * BITS;

    genvar y, x, c, s;
    generate
        for (y = 0; y < KH; y = y + 1) begin : row
            localparam PORT = (PORTS == 1) ? 0 : y;
            localparam [31:0] ROW = y;
            logic [SLOTS*COLUMNS*PIXEL-1:0] staging;
            logic [COLUMNS*PIXEL-1:0] staged;
            for (s = 0; s < SLOTS; s = s + 1) begin : slot
                localparam [31:0] SLOT = s;
                for (x = 0; x < COLUMNS; x = x + 1) begin : column
                    localparam [31:0] COLUMN = x;
                    for (c = 0; c < CHANNELS; c = c + LANES) begin : beat
                        localparam [31:0] BEAT = c / LANES;
                        localparam REST = (CHANNELS - c < LANES) ? CHANNELS - c : LANES;
                        logic [REST*BITS-1:0] entry;
                        logic taken;
                        assign taken = fetch && fetch_slot == SLOT[1:0] && fetch_column == COLUMN[3:0]
                            && fetch_beat == BEAT[11:0] && (PORTS != 1 || fetch_row == ROW[3:0]);
                        always_ff @(posedge clk) if (taken) entry <= words[PORT*LANES*BITS+:REST*BITS];
                        assign staging[((s*COLUMNS+x)*CHANNELS+c)*BITS+:REST*BITS] = entry;
                    end
                end
            end
            choose #(.N(SLOTS), .WIDTH(COLUMNS * PIXEL), .SELECT(2)) of_slot (
                .words(staging), .select(load_slot), .word(staged)
            );
            for (x = 0; x < KW; x = x + 1) begin : place
                logic [PIXEL-1:0] pixel;
                if (x < KW - COLUMNS) begin : shifted
                    always_ff @(posedge clk)
                        if (load) pixel <= clear ? {CHANNELS{ZERO}} : held[(y*KW+x+COLUMNS)*PIXEL+:PIXEL];
                end else begin : brought
                    localparam NEW = x - (KW - COLUMNS);
                    always_ff @(posedge clk)
                        if (load)
                            pixel <= (row_mask[y] && column_mask[NEW]) ? staged[NEW*PIXEL+:PIXEL] : {CHANNELS{ZERO}};
                end
                assign held[(y*KW+x)*PIXEL+:PIXEL] = pixel;
            end
        end
    endgenerate
endmodule
