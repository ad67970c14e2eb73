// The matrix-vector actor in the held form: convolution, grouped and depthwise convolution, dense layer; with a merged
// add (one skip beat in a giving phase), a tap (the beats of kernel row TAP_ROW go out as they are fetched) or a
// convolution of one pixel beside, on output 1.
//
// Stages of a phase that starts in cycle t: memory t + 1, staging t + 2, operands t + 3, then as `multiply` says.
module held #(
    parameter KH = 1,
    parameter KW = 1,
    parameter EXTENT = 1,        // columns of the window
    parameter DILATION = 1,
    parameter CHANNELS = 1,      // of the input
    parameter LANES = 1,         // of the input
    parameter BITS = 8,          // of an input number
    parameter SIGNED = 0,
    parameter [BITS-1:0] ZERO = 0,
    parameter FRESH = 1,         // columns that an advance brings
    parameter SLOTS = 1,
    parameter PORTS = 1,
    parameter GROUPS = 1,
    parameter PARTS = 1,         // input folds
    parameter PART = 1,
    parameter [3:0] FIRST_ROW = 0,
    parameter [3:0] FIRST_COLUMN = 0,
    parameter [ADDRESS-1:0] FIRST_PLACE = 0,
    parameter TAP = 0,
    parameter TAP_ROW = 0,
    parameter BESIDE = 0,        // a convolution of one pixel beside; its parameters as those of the actor's own
    parameter BESIDE_TAP = 0,    // its pixel of the window
    parameter BESIDE_SIMD = 1,
    parameter BESIDE_PE = 1,
    parameter BESIDE_LENT = 0,
    parameter BESIDE_W = 8,
    parameter BESIDE_ACC = 32,
    parameter BESIDE_FOLDS = 1,
    parameter BESIDE_FOLD = 1,
    parameter BESIDE_PARTS = 1,
    parameter BESIDE_PART = 1,
    parameter BESIDE_WORDS = 1,
    parameter BESIDE_WORD = 1,
    parameter BESIDE_OUTPUTS = 1,
    parameter BESIDE_LANES = 1,
    parameter BESIDE_BEAT = 1,
    parameter BESIDE_HISTORY = 0,
    parameter BESIDE_CHOICES = 1,
    parameter BESIDE_CHOICE = 1,
    parameter BESIDE_PICK = 0,
    parameter BESIDE_FROM = 0,
    parameter BESIDE_BITS = 8,
    parameter BESIDE_FACTOR = 1,
    parameter BESIDE_POWERS = 0,
    parameter BESIDE_TOTAL = 33,
    parameter BESIDE_SHIFT = 0,
    parameter BESIDE_MODE = 0,
    parameter BESIDE_CLAMP = 1,
    parameter signed [31:0] BESIDE_LOW = 0,
    parameter signed [31:0] BESIDE_HIGH = 255,
    parameter signed [31:0] BESIDE_ZERO = 0,
    parameter BESIDE_WEIGHT_STYLE = "auto",
    parameter BESIDE_BIAS_STYLE = "auto",
    parameter BESIDE_WEIGHTS = "weights.hex",
    parameter BESIDE_BIAS = "bias.hex",
    parameter BESIDE_SCALE_STYLE = "auto",
    parameter BESIDE_SCALES = "scales.hex",
    parameter SECOND_BITS = 1,   // of a beat of output 1
    parameter ROWS = 1,          // banks of the input's memory
    parameter COLUMNS = 1,
    parameter ROW_WORDS = 1,
    parameter IN_BEATS = 1,      // beats a pixel of the input
    parameter ADDRESS = 1,
    parameter SPAN = 2,          // words of a bank of it
    parameter SIMD = 1,
    parameter PE = 1,
    parameter OWN = 1,           // sets of operands: PE / OWN elements share each
    parameter PAIR = 0,
    parameter LENT = 0,
    parameter SOFT = 0,
    parameter W = 8,
    parameter ACC = 32,
    parameter FOLDS = 1,
    parameter FOLD = 1,
    parameter WORDS = 1,
    parameter WORD = 1,
    parameter OUTPUTS = 1,
    parameter OUT_LANES = 1,
    parameter BEAT = 1,
    parameter HISTORY = 0,       // of `multiply`
    parameter CHOICES = 1,
    parameter CHOICE = 1,
    parameter PICK = 0,
    parameter FROM = 0,
    parameter OUT_BITS = 8,
    parameter FACTOR = 1,
    parameter POWERS = 0,
    parameter TOTAL = 33,
    parameter SHIFT = 0,
    parameter MODE = 0,
    parameter CLAMP = 1,
    parameter signed [31:0] LOW = 0,
    parameter signed [31:0] HIGH = 255,
    parameter signed [31:0] OUT_ZERO = 0,
    parameter ADD = 0,
    parameter SKIP = 8,
    parameter SKIP_SIGNED = 0,
    parameter SKIP_FACTOR = 1,
    parameter SKIP_POWERS = 0,
    parameter INNER = 0,
    parameter INNER_FACTOR = 1,
    parameter INNER_POWERS = 0,
    parameter INNER_TOTAL = 33,
    parameter INNER_SHIFT = 0,
    parameter INNER_MODE = 0,
    parameter signed [31:0] INNER_LOW = 0,
    parameter signed [31:0] INNER_HIGH = 255,
    parameter signed [31:0] INNER_ZERO = 0,
    parameter INNER_BITS = 9,
    parameter SKIP_ROWS = 1,
    parameter SKIP_COLUMNS = 1,
    parameter SKIP_WIDTH = 1,
    parameter SKIP_BEATS = 1,
    parameter SKIP_ROW_WORDS = 1,
    parameter SKIP_ADDRESS = 1,
    parameter SKIP_SPAN = 2,
    parameter PROGRAM = 1,
    parameter LEVELS = 1,
    parameter REPEAT = 1,
    parameter RUN = 1,
    parameter TAKE = 1,
    parameter LINKS = 1,
    parameter SECOND = 1,
    parameter SLACK = 8,
    parameter PROGRAM_STYLE = "auto",
    parameter IMAGE = "program.hex",
    parameter KINDS = 1,
    parameter LOOPS = 0,
    parameter FLOW = "flow.hex",
    parameter START = "start.hex",
    parameter WEIGHT_STYLE = "auto",
    parameter BIAS_STYLE = "auto",
    parameter WEIGHTS = "weights.hex",
    parameter BIAS = "bias.hex",
    parameter SCALE_STYLE = "auto",
    parameter SCALES = "scales.hex",
    parameter INNER_STYLE = "auto",
    parameter INNER_SCALES = "inner.hex"
) (
    input  logic                                            clk,
    input  logic                                            reset,
    input  logic [ADD:0]                                    arrived,
    input  logic [LINKS*24-1:0]                             freed,
    output logic [(1+ADD)*24-1:0]                           released,
    output logic [ROWS*COLUMNS*ADDRESS-1:0]                 read_address,
    input  logic [ROWS*COLUMNS*LANES*BITS-1:0]              read_data,
    output logic [SKIP_ROWS*SKIP_COLUMNS*SKIP_ADDRESS-1:0]  skip_address,
    input  logic [SKIP_ROWS*SKIP_COLUMNS*OUT_LANES*SKIP-1:0] skip_data,
    output logic                                            write,
    output logic [OUT_LANES*OUT_BITS-1:0]                   write_data,
    output logic                                            second_write,
    output logic [SECOND_BITS-1:0]                          second_data
);
    localparam MICRO = 27 + ADDRESS + KH + FRESH;
    localparam OUTPUT_PORTS = (TAP != 0 || BESIDE != 0) ? 2 : 1;
    localparam OUT_BEATS = (OUTPUTS + OUT_LANES - 1) / OUT_LANES;

    logic fire, step;
    logic [OUTPUT_PORTS-1:0] give;
    logic [MICRO-1:0] micro, next_micro;
    control #(
        .WORDS(PROGRAM), .LEVELS(LEVELS), .REPEAT(REPEAT), .RUN(RUN), .TAKE(TAKE), .INPUTS(1 + ADD), .OUTPUTS(OUTPUT_PORTS),
        .LINKS(LINKS), .SECOND(SECOND), .SLACK(SLACK), .MICRO(MICRO),
        .FLAGS({1'b1, {MICRO - 7{1'b0}}, 6'b111011}), .STYLE(PROGRAM_STYLE), .IMAGE(IMAGE), .KINDS(KINDS), .LOOPS(LOOPS), .FLOW(FLOW), .START(START)
    ) phases (
        .clk(clk), .reset(reset), .arrived(arrived), .freed(freed), .released(released), .fire(fire), .give(give),
        .micro(micro), .step(step), .next_micro(next_micro)
    );

    // The micro word.
    logic fetch, load, clear, compute, beside, take;
    logic [3:0] stage_row, stage_column, down, right;
    logic [1:0] stage_slot, load_slot;
    logic [ADDRESS-1:0] along;
    logic [KH-1:0] row_mask;
    logic [FRESH-1:0] column_mask;
    assign {column_mask, row_mask, along, right, down, stage_slot, stage_column, stage_row, load_slot, take, beside,
        compute, clear, load, fetch} = micro[MICRO-2:0];
    logic move;
    assign move = micro[MICRO-1];

    // Fetch: address in t, words in t + 1, staging in t + 2.
    logic [PORTS*LANES*BITS-1:0] words;
    gather #(
        .BITS(LANES * BITS), .ROWS(ROWS), .COLUMNS(COLUMNS), .ROW_WORDS(ROW_WORDS), .BEATS(IN_BEATS), .ADDRESS(ADDRESS), .SPAN(SPAN),
        .PORT_ROWS(PORTS), .PORT_COLUMNS(1), .FIRST_ROW(FIRST_ROW), .FIRST_COLUMN(FIRST_COLUMN), .FIRST_PLACE(FIRST_PLACE)
    ) fetching (
        .clk(clk), .reset(reset), .step(step), .next_along(next_micro[26+:ADDRESS]), .move(move), .down(down),
        .right(right), .along(along), .read_address(read_address), .read_data(read_data), .words(words)
    );
    // Pixels are fetched whole, beat after beat.
    logic [11:0] fetched_beat;
    tally #(.COUNT(IN_BEATS), .BITS(12)) fetches (
        .clk(clk), .reset(reset), .happens(move), .happened(), .number(fetched_beat)
    );
    logic [14:0] staging_1;
    logic [KH+FRESH+3:0] load_1, load_2;
    always_ff @(posedge clk) begin
        staging_1 <= {stage_slot, stage_column, stage_row, 4'd0, fetch};
        load_1 <= {column_mask, row_mask, load_slot, clear, load};
        load_2 <= load_1;
    end
    logic [KH*EXTENT*CHANNELS*BITS-1:0] places;
    window #(
        .KH(KH), .KW(EXTENT), .CHANNELS(CHANNELS), .BITS(BITS), .LANES(LANES), .COLUMNS(FRESH), .SLOTS(SLOTS),
        .PORTS(PORTS), .ZERO(ZERO)
    ) holding (
        .clk(clk), .fetch(staging_1[0]), .fetch_row(staging_1[8:5]), .fetch_column(staging_1[12:9]),
        .fetch_slot(staging_1[14:13]), .fetch_beat(fetched_beat), .words(words), .load(load_2[0]),
        .load_slot(load_2[3:2]), .row_mask(load_2[4+:KH]), .column_mask(load_2[4+KH+:FRESH]), .clear(load_2[1]),
        .held(places)
    );

    logic computed_1, first_1, ended_1, given_1;
    logic [PART-1:0] part_1;
    logic [FOLD-1:0] fold_1;
    logic [WORD-1:0] word_1;
    logic [BEAT-1:0] beat_1;
    folds #(.PARTS(PARTS), .PART(PART), .FOLDS(FOLDS), .FOLD(FOLD), .WORD(WORD), .OUTSIDE(0)) numbering (
        .clk(clk), .reset(reset), .compute(compute), .computed(computed_1), .first(first_1), .ended(ended_1),
        .part(part_1), .fold(fold_1), .word(word_1), .next_word()
    );
    tally #(.COUNT(OUT_BEATS), .BITS(BEAT)) beats (
        .clk(clk), .reset(reset), .happens(give[0]), .happened(given_1), .number(beat_1)
    );
    logic computed_2, first_2, ended_2, given_2;
    logic [PART-1:0] part_2;
    logic [FOLD-1:0] fold_2;
    logic [WORD-1:0] word_2;
    logic [BEAT-1:0] beat_2;
    always_ff @(posedge clk) begin
        {computed_2, first_2, ended_2, given_2} <= {computed_1, first_1, ended_1, given_1};
        part_2 <= part_1;
        fold_2 <= fold_1;
        word_2 <= word_1;
        beat_2 <= beat_1;
    end

    // Operands and weights, both in t + 3.
    localparam OPERANDS = (GROUPS == 1) ? PART : WORD;
    logic [OPERANDS-1:0] choice;
    generate
        if (GROUPS == 1) begin : by_part
            assign choice = part_2;
        end else begin : by_word
            assign choice = word_2;
        end
    endgenerate
    logic [OWN*SIMD*(BITS+1)-1:0] x;
    operands #(
        .KH(KH), .KW(KW), .EXTENT(EXTENT), .DILATION(DILATION), .CHANNELS(CHANNELS), .GROUPS(GROUPS), .OUTPUTS(OUTPUTS),
        .BITS(BITS), .SIGNED(SIGNED), .SIMD(SIMD), .PE(PE), .SETS(OWN),
        .FOLDS((GROUPS == 1) ? PARTS : WORDS), .FOLD(OPERANDS)
    ) choosing (
        .clk(clk), .fold(choice), .held(places), .chosen(x)
    );
    logic [OUT_LANES*SKIP-1:0] skip;
    generate
        if (ADD != 0) begin : add
            taking #(
                .BITS(OUT_LANES * SKIP), .ROWS(SKIP_ROWS), .COLUMNS(SKIP_COLUMNS), .WIDTH(SKIP_WIDTH),
                .BEATS(SKIP_BEATS), .ROW_WORDS(SKIP_ROW_WORDS), .ADDRESS(SKIP_ADDRESS), .SPAN(SKIP_SPAN)
            ) skips (
                .clk(clk), .reset(reset), .take(take), .read_address(skip_address), .read_data(skip_data), .beat(skip)
            );
        end else begin : no_add
            assign skip = {OUT_LANES * SKIP{1'b0}};
            assign skip_address = {SKIP_ROWS * SKIP_COLUMNS * SKIP_ADDRESS{1'b0}};
        end
    endgenerate

    multiply #(
        .SIMD(SIMD), .PE(PE), .X(BITS + 1), .W(W), .OWN(OWN), .PAIR(PAIR), .LENT(LENT), .SOFT(SOFT), .WORDS(WORDS), .WORD(WORD), .FOLDS(FOLDS),
        .FOLD(FOLD), .ACCUMULATORS(1), .ACC(ACC), .OUTPUTS(OUTPUTS), .LANES(OUT_LANES), .BEAT(BEAT),
        .HISTORY(HISTORY), .CHOICES(CHOICES), .CHOICE(CHOICE), .PICK(PICK), .FROM(FROM),
        .BITS(OUT_BITS), .FACTOR(FACTOR), .POWERS(POWERS), .TOTAL(TOTAL), .SHIFT(SHIFT), .MODE(MODE), .CLAMP(CLAMP),
        .LOW(LOW), .HIGH(HIGH), .ZERO(OUT_ZERO), .ADD(ADD), .SKIP(SKIP), .SKIP_SIGNED(SKIP_SIGNED),
        .SKIP_FACTOR(SKIP_FACTOR), .SKIP_POWERS(SKIP_POWERS), .WAIT(2), .INNER(INNER),
        .INNER_FACTOR(INNER_FACTOR), .INNER_POWERS(INNER_POWERS), .INNER_TOTAL(INNER_TOTAL),
        .INNER_SHIFT(INNER_SHIFT), .INNER_MODE(INNER_MODE), .INNER_LOW(INNER_LOW), .INNER_HIGH(INNER_HIGH),
        .INNER_ZERO(INNER_ZERO), .INNER_BITS(INNER_BITS), .WEIGHT_STYLE(WEIGHT_STYLE), .BIAS_STYLE(BIAS_STYLE),
        .WEIGHTS(WEIGHTS), .BIAS(BIAS), .SCALES(SCALES),
        .SCALE_STYLE(SCALE_STYLE), .INNER_STYLE(INNER_STYLE), .INNER_SCALES(INNER_SCALES)
    ) multiplying (
        .clk(clk), .compute(computed_2), .first(first_2), .ended(ended_2), .fold(fold_2), .word(word_1), .give(given_2),
        .beat(beat_2), .x(x), .skip(skip), .write(write), .write_data(write_data)
    );

    // Output 1.
    generate
        if (TAP != 0) begin : tap
            logic tapped;
            always_ff @(posedge clk) tapped <= give[OUTPUT_PORTS-1];
            assign second_write = tapped;
            assign second_data = words[((PORTS == 1) ? 0 : TAP_ROW)*LANES*BITS+:LANES*BITS];
        end else if (BESIDE != 0) begin : projection
            localparam BEATS_BESIDE = (BESIDE_OUTPUTS + BESIDE_LANES - 1) / BESIDE_LANES;
            logic computed_b, first_b, ended_b, given_b;
            logic [BESIDE_PART-1:0] part_b, part_c;
            logic [BESIDE_FOLD-1:0] fold_b, fold_c;
            logic [BESIDE_WORD-1:0] word_b;
            logic [BESIDE_BEAT-1:0] beat_b, beat_c;
            logic [3:0] flags_c;
            folds #(
                .PARTS(BESIDE_PARTS), .PART(BESIDE_PART), .FOLDS(BESIDE_FOLDS), .FOLD(BESIDE_FOLD), .WORD(BESIDE_WORD)
            ) numbering (
                .clk(clk), .reset(reset), .compute(beside), .computed(computed_b), .first(first_b), .ended(ended_b),
                .part(part_b), .fold(fold_b), .word(word_b), .next_word()
            );
            tally #(.COUNT(BEATS_BESIDE), .BITS(BESIDE_BEAT)) beats (
                .clk(clk), .reset(reset), .happens(give[OUTPUT_PORTS-1]), .happened(given_b), .number(beat_b)
            );
            always_ff @(posedge clk) begin
                flags_c <= {given_b, ended_b, first_b, computed_b};
                part_c <= part_b;
                fold_c <= fold_b;
                beat_c <= beat_b;
            end
            logic [BESIDE_SIMD*(BITS+1)-1:0] x_beside;
            operands #(
                .CHANNELS(CHANNELS), .OUTPUTS(BESIDE_OUTPUTS), .BITS(BITS), .SIGNED(SIGNED), .SIMD(BESIDE_SIMD),
                .PE(BESIDE_PE), .FOLDS(BESIDE_PARTS), .FOLD(BESIDE_PART)
            ) choosing (
                .clk(clk), .fold(part_c), .held(places[BESIDE_TAP*CHANNELS*BITS+:CHANNELS*BITS]), .chosen(x_beside)
            );
            multiply #(
                .SIMD(BESIDE_SIMD), .PE(BESIDE_PE), .X(BITS + 1), .W(BESIDE_W), .PAIR(PAIR), .LENT(BESIDE_LENT), .SOFT(SOFT), .WORDS(BESIDE_WORDS),
                .WORD(BESIDE_WORD), .FOLDS(BESIDE_FOLDS), .FOLD(BESIDE_FOLD), .ACC(BESIDE_ACC), .OUTPUTS(BESIDE_OUTPUTS),
                .LANES(BESIDE_LANES), .BEAT(BESIDE_BEAT), .HISTORY(BESIDE_HISTORY),
                .CHOICES(BESIDE_CHOICES), .CHOICE(BESIDE_CHOICE), .PICK(BESIDE_PICK), .FROM(BESIDE_FROM),
                .BITS(BESIDE_BITS), .FACTOR(BESIDE_FACTOR),
                .POWERS(BESIDE_POWERS), .TOTAL(BESIDE_TOTAL), .SHIFT(BESIDE_SHIFT), .MODE(BESIDE_MODE),
                .CLAMP(BESIDE_CLAMP), .LOW(BESIDE_LOW), .HIGH(BESIDE_HIGH), .ZERO(BESIDE_ZERO), .WEIGHT_STYLE(BESIDE_WEIGHT_STYLE),
                .BIAS_STYLE(BESIDE_BIAS_STYLE), .WEIGHTS(BESIDE_WEIGHTS),
                .BIAS(BESIDE_BIAS), .SCALE_STYLE(BESIDE_SCALE_STYLE), .SCALES(BESIDE_SCALES)
            ) multiplying (
                .clk(clk), .compute(flags_c[0]), .first(flags_c[1]), .ended(flags_c[2]), .fold(fold_c), .word(word_b),
                .give(flags_c[3]), .beat(beat_c), .x(x_beside), .skip({BESIDE_LANES * 8{1'b0}}), .write(second_write),
                .write_data(second_data)
            );
        end else begin : none
            assign second_write = 1'b0;
            assign second_data = {SECOND_BITS{1'b0}};
        end
    endgenerate
endmodule
