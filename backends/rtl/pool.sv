// A pool with a window: the sum (or, where LARGEST, the largest) of the numbers less ZERO under it, rounded.
//
// Each beat that is read is folded along the row into the partial result of every window that it lies under: output
// column i in slot i mod SLOTS, a word a beat. A slot whose window's last column has come is folded down the columns into
// the partial result of every output row that the row lies under: output row j in row slot j mod OPEN. Each pair of a
// slot and a row slot has a memory of its own, so windows that end together do not meet in one. What lies on no tap of a
// window is not folded, so padding counts as ZERO.
//
// A beat is given in the phase that completes it, or (LATER) from memory. Where lanes in and out differ, a memory is
// split by the beats of a pixel, from all of which a beat's lanes are chosen.
//
// Stages of a phase that starts in cycle t: memory t + 1, along the row t + 2, down the columns t + 3, beat t + 4, scale
// t + 5, rounding t + 6.
module pool #(
    parameter LARGEST = 0,
    parameter LANES = 1,
    parameter BITS = 8,
    parameter SIGNED = 0,
    parameter signed [31:0] ZERO = 0,  // taken off each number
    parameter NUMBER = 8,        // bits of a number then: BITS, and one more where ZERO is not 0
    parameter ALONG = 8,         // bits of a partial result along the row
    parameter KEPT = 8,          // and down the columns
    parameter CHANNELS = 1,
    parameter BEATS = 1,
    parameter READ = 1,          // bits of a beat's number
    parameter OUT_WIDTH = 1,
    parameter OUT_HEIGHT = 1,
    parameter SLOTS = 1,
    parameter OPEN = 1,
    parameter ACROSS = 1,        // 0 where windows are one column wide
    parameter TALL = 1,          // 0 where they are one row high
    parameter LATER = 0,
    parameter APART = 0,         // whether what is given from memory has a read port of its own
    parameter ALONG_STYLE = "auto",
    parameter DOWN_STYLE = "auto",
    parameter OUT_LANES = 1,
    parameter OUT_BITS = 8,
    parameter BEAT = 1,
    parameter [3:0] FIRST_ROW = 0,
    parameter [3:0] FIRST_COLUMN = 0,
    parameter [ADDRESS-1:0] FIRST_PLACE = 0,
    parameter FACTOR = 1,
    parameter POWERS = 0,
    parameter TOTAL = 33,
    parameter SHIFT = 0,
    parameter MODE = 0,
    parameter CLAMP = 1,
    parameter signed [31:0] LOW = 0,
    parameter signed [31:0] HIGH = 255,
    parameter signed [31:0] OUT_ZERO = 0,
    parameter SCALE_STYLE = "auto",
    parameter SCALES = "scales.hex",
    parameter ROWS = 1,
    parameter COLUMNS = 1,
    parameter ROW_WORDS = 1,
    parameter IN_BEATS = 1,      // beats a pixel of the input's memory
    parameter ADDRESS = 1,
    parameter SPAN = 2,          // words of a bank of it
    parameter PROGRAM = 1,
    parameter LEVELS = 1,
    parameter REPEAT = 1,
    parameter RUN = 1,
    parameter TAKE = 1,
    parameter LINKS = 1,
    parameter SLACK = 8,
    parameter PROGRAM_STYLE = "auto",
    parameter IMAGE = "program.hex",
    parameter KINDS = 1,
    parameter LOOPS = 0,
    parameter FLOW = "flow.hex",
    parameter START = "start.hex"
) (
    input  logic                            clk,
    input  logic                            reset,
    input  logic                            arrived,
    input  logic [LINKS*24-1:0]             freed,
    output logic [23:0]                     released,
    output logic [ROWS*COLUMNS*ADDRESS-1:0] read_address,
    input  logic [ROWS*COLUMNS*LANES*BITS-1:0] read_data,
    output logic                            write,
    output logic [OUT_LANES*OUT_BITS-1:0]   write_data
);
    localparam MICRO = 9 + ADDRESS + 3 * SLOTS + 2 * OPEN;
    localparam OUT_BEATS = (CHANNELS + OUT_LANES - 1) / OUT_LANES;
    localparam SAME = (LANES == OUT_LANES) ? 1 : 0;
    localparam PARTS = (SAME != 0) ? 1 : BEATS;            // memories that a pixel's beats are spread over
    localparam [31:0] WITHIN = (SAME != 0) ? BEATS : 1;    // words that a pixel takes in each
    localparam NEGATIVE = (SIGNED != 0 || ZERO != 0) ? 1 : 0;
    localparam WORD = LANES * KEPT;

    logic give, read;
    logic [3:0] down, right;
    logic [ADDRESS-1:0] along;
    logic [SLOTS-1:0] covers, begins, ends;
    logic [OPEN-1:0] row_covers, row_begins;
    logic step;
    logic [MICRO-1:0] micro, next_micro;
    control #(
        .WORDS(PROGRAM), .LEVELS(LEVELS), .REPEAT(REPEAT), .RUN(RUN), .TAKE(TAKE), .INPUTS(1), .LINKS(LINKS), .SECOND(LINKS),
        .SLACK(SLACK), .MICRO(MICRO),
        .FLAGS({{3 * SLOTS + 2 * OPEN{1'b1}}, {8 + ADDRESS{1'b0}}, 1'b1}), .STYLE(PROGRAM_STYLE), .IMAGE(IMAGE), .KINDS(KINDS), .LOOPS(LOOPS), .FLOW(FLOW), .START(START)
    ) phases (
        .clk(clk), .reset(reset), .arrived(arrived), .freed(freed), .released(released), .fire(), .give(give),
        .micro(micro), .step(step), .next_micro(next_micro)
    );
    assign {row_begins, row_covers, ends, begins, covers, along, right, down, read} = micro;

    logic [LANES*BITS-1:0] word;
    gather #(
        .BITS(LANES * BITS), .ROWS(ROWS), .COLUMNS(COLUMNS), .ROW_WORDS(ROW_WORDS), .BEATS(IN_BEATS), .ADDRESS(ADDRESS), .SPAN(SPAN),
        .FIRST_ROW(FIRST_ROW), .FIRST_COLUMN(FIRST_COLUMN), .FIRST_PLACE(FIRST_PLACE)
    ) fetching (
        .clk(clk), .reset(reset), .step(step), .next_along(next_micro[9+:ADDRESS]), .move(read), .down(down), .right(right), .along(along), .read_address(read_address),
        .read_data(read_data), .words(word)
    );

    // What is read in t, and its flags in t + 1 and t + 2.
    localparam [31:0] LAST_READ = BEATS - 1;
    logic [READ-1:0] beat, beat_1, beat_2;
    logic [SLOTS-1:0] covers_1, begins_1, ends_1, ends_2;
    logic [OPEN-1:0] row_covers_1, row_begins_1, row_covers_2, row_begins_2;
    always_ff @(posedge clk) begin
        if (reset) beat <= {READ{1'b0}};
        else if (read) beat <= (beat == LAST_READ[READ-1:0]) ? {READ{1'b0}} : beat + 1'b1;
        beat_1 <= beat;
        beat_2 <= beat_1;
        covers_1 <= covers;
        begins_1 <= begins;
        ends_1 <= ends;
        ends_2 <= ends_1;
        row_covers_1 <= row_covers;
        row_begins_1 <= row_begins;
        row_covers_2 <= row_covers_1;
        row_begins_2 <= row_begins_1;
    end
    logic [LANES*NUMBER-1:0] numbers;
    genvar c;
    generate
        for (c = 0; c < LANES; c = c + 1) begin : number
            if (ZERO == 0) begin : bare
                assign numbers[c*NUMBER+:NUMBER] = word[c*BITS+:BITS];
            end else begin : less
                assign numbers[c*NUMBER+:NUMBER] =
                    {{NUMBER - BITS{SIGNED != 0 && word[c*BITS+BITS-1]}}, word[c*BITS+:BITS]} - ZERO[NUMBER-1:0];
            end
        end
    endgenerate

    // What is given, counted two cycles behind: output row, column, beat; the memory and the word in it.
    localparam [31:0] LAST_BEAT = OUT_BEATS - 1;
    localparam [31:0] LAST_COLUMN = OUT_WIDTH - 1;
    localparam [31:0] LAST_ROW = OUT_HEIGHT - 1;
    localparam [31:0] LAST_SLOT = SLOTS - 1;
    localparam [31:0] LAST_OPEN = (OPEN - 1) * SLOTS;
    localparam [31:0] ROW_STEP = SLOTS;
    logic give_2;
    logic [15:0] give_beat, give_column, give_row, give_slot, give_open, bank, bank_3;
    logic [23:0] group, give_word;
    logic [BEAT-1:0] beat_3;
    delay #(.WIDTH(1), .STAGES(2)) to_give (.clk(clk), .in(give), .out(give_2));
    delay #(.WIDTH(1), .STAGES(4)) to_write (.clk(clk), .in(give_2), .out(write));
    assign bank = give_open + give_slot;
    assign give_word = group + ((SAME != 0) ? {8'd0, give_beat} : 24'd0);
    always_ff @(posedge clk) begin
        bank_3 <= bank;
        beat_3 <= give_beat[BEAT-1:0];
        if (reset) begin
            give_beat <= 16'd0;
            give_column <= 16'd0;
            give_row <= 16'd0;
            give_slot <= 16'd0;
            give_open <= 16'd0;
            group <= 24'd0;
        end else if (give_2) begin
            if (give_beat != LAST_BEAT[15:0]) give_beat <= give_beat + 16'd1;
            else begin
                give_beat <= 16'd0;
                if (give_column != LAST_COLUMN[15:0]) begin
                    give_column <= give_column + 16'd1;
                    give_slot <= (give_slot == LAST_SLOT[15:0]) ? 16'd0 : give_slot + 16'd1;
                    if (give_slot == LAST_SLOT[15:0]) group <= group + WITHIN[23:0];
                end else begin
                    give_column <= 16'd0;
                    give_slot <= 16'd0;
                    group <= 24'd0;
                    give_row <= (give_row == LAST_ROW[15:0]) ? 16'd0 : give_row + 16'd1;
                    if (give_row == LAST_ROW[15:0] || give_open == LAST_OPEN[15:0]) give_open <= 16'd0;
                    else give_open <= give_open + ROW_STEP[15:0];
                end
            end
        end
    end

    // Memories in the order row slot, slot, part.
    logic [OPEN*SLOTS*PARTS*WORD-1:0] folded, later;
    logic [OPEN*SLOTS*PARTS-1:0] hits;  // a word that is folded now is the one that is given
    genvar s, h, n;
    generate
        for (s = 0; s < SLOTS; s = s + 1) begin : slot
            localparam WORDS = (OUT_WIDTH - s + SLOTS - 1) / SLOTS * WITHIN;
            localparam [31:0] LAST_WORD = WORDS - 1;
            localparam PLACE = (WORDS > 1) ? $clog2(WORDS) : 1;
            logic [LANES*ALONG-1:0] row, row_2;
            logic [PLACE-1:0] place, place_2;
            partial #(
                .LANES(LANES), .IN(NUMBER), .KEPT(ALONG), .NEGATIVE(NEGATIVE), .LARGEST(LARGEST), .FOLDS(ACROSS),
                .WORDS(BEATS), .ADDRESS(READ), .STYLE(ALONG_STYLE)
            ) along_row (
                .clk(clk), .address(beat), .folds(1'b1), .update(covers_1[s]), .first(begins_1[s]), .numbers(numbers),
                .folded(row), .later_address({READ{1'b0}}), .later()
            );
            always_ff @(posedge clk) begin
                row_2 <= row;
                place_2 <= place;
                if (reset) place <= {PLACE{1'b0}};
                else if (ends_1[s] && (PARTS == 1 || beat_1 == LAST_READ[READ-1:0]))
                    place <= (place == LAST_WORD[PLACE-1:0]) ? {PLACE{1'b0}} : place + 1'b1;
            end
            for (h = 0; h < OPEN; h = h + 1) begin : open
                for (n = 0; n < PARTS; n = n + 1) begin : part
                    localparam BANK = (h * SLOTS + s) * PARTS + n;
                    localparam [31:0] OWN = n;
                    logic update;
                    assign update = ends_2[s] && row_covers_2[h] && (PARTS == 1 || beat_2 == OWN[READ-1:0]);
                    assign hits[BANK] = update && place_2 == give_word[PLACE-1:0];
                    partial #(
                        .LANES(LANES), .IN(ALONG), .KEPT(KEPT), .NEGATIVE(NEGATIVE), .LARGEST(LARGEST), .FOLDS(TALL),
                        .WORDS(WORDS), .ADDRESS(PLACE), .LATER(LATER), .APART(APART),
                        .STYLE(DOWN_STYLE)
                    ) down_columns (
                        .clk(clk), .address(place), .folds(ends_1[s] && row_covers_1[h]), .update(update),
                        .first(row_begins_2[h]), .numbers(row_2), .folded(folded[BANK*WORD+:WORD]),
                        .later_address(give_word[PLACE-1:0]), .later(later[BANK*WORD+:WORD])
                    );
                end
            end
        end
    endgenerate

    // The beat: of what was folded in its phase, or of what lies in memory.
    logic [PARTS*WORD-1:0] newest, fresh, pixel;
    choose #(.N(OPEN * SLOTS), .WIDTH(PARTS * WORD), .SELECT(16)) of_banks (
        .words(folded), .select(bank), .word(newest)
    );
    always_ff @(posedge clk) fresh <= newest;
    generate
        if (LATER == 0) begin : at_once
            assign pixel = fresh;
        end else begin : looked_up
            logic [PARTS*WORD-1:0] stored;
            logic [PARTS-1:0] hits_now, hit;
            choose #(.N(OPEN * SLOTS), .WIDTH(PARTS * WORD), .SELECT(16)) of_stored (
                .words(later), .select(bank_3), .word(stored)
            );
            choose #(.N(OPEN * SLOTS), .WIDTH(PARTS), .SELECT(16)) of_hits (
                .words(hits), .select(bank), .word(hits_now)
            );
            always_ff @(posedge clk) hit <= hits_now;
            for (n = 0; n < PARTS; n = n + 1) begin : part
                assign pixel[n*WORD+:WORD] = hit[n] ? fresh[n*WORD+:WORD] : stored[n*WORD+:WORD];
            end
        end
    endgenerate
    logic [OUT_LANES*KEPT-1:0] chosen;
    generate
        if (SAME != 0) begin : same_lanes
            always_ff @(posedge clk) chosen <= pixel;
        end else begin : other_lanes
            logic [OUT_BEATS*OUT_LANES*KEPT-1:0] all;
            for (c = 0; c < OUT_BEATS * OUT_LANES; c = c + 1) begin : channel
                if (c < CHANNELS) begin : used
                    assign all[c*KEPT+:KEPT] = pixel[c*KEPT+:KEPT];
                end else begin : filler
                    assign all[c*KEPT+:KEPT] = {KEPT{1'b0}};
                end
            end
            logic [OUT_LANES*KEPT-1:0] share;
            choose #(.N(OUT_BEATS), .WIDTH(OUT_LANES * KEPT), .SELECT(BEAT)) of_beats (
                .words(all), .select(beat_3), .word(share)
            );
            always_ff @(posedge clk) chosen <= share;
        end
    endgenerate

    localparam ENTRY = FACTOR + TOTAL;
    logic [OUT_LANES*ENTRY-1:0] scales;
    rom #(.WIDTH(OUT_LANES * ENTRY), .WORDS(OUT_BEATS), .ADDRESS(BEAT), .STYLE(SCALE_STYLE), .IMAGE(SCALES)) scaling (
        .clk(clk), .address(beat_3), .word(scales)
    );
    genvar r;
    generate
        for (r = 0; r < OUT_LANES; r = r + 1) begin : rounding
            requantise #(
                .ACC(KEPT + 1), .FACTOR(FACTOR), .POWERS(POWERS), .TOTAL(TOTAL), .SHIFT(SHIFT), .MODE(MODE),
                .CLAMP(CLAMP), .LOW(LOW), .HIGH(HIGH), .ZERO(OUT_ZERO), .BITS(OUT_BITS)
            ) round_lane (
                .clk(clk), .acc({NEGATIVE != 0 && chosen[r*KEPT+KEPT-1], chosen[r*KEPT+:KEPT]}),
                .factor(scales[r*ENTRY+:FACTOR]), .offset(scales[r*ENTRY+FACTOR+:TOTAL]), .skip(9'd0),
                .skip_factor(16'd0), .code(write_data[r*OUT_BITS+:OUT_BITS])
            );
        end
    endgenerate
endmodule
