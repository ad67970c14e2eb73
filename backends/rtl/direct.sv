// The matrix-vector actor in the direct form: every phase reads TAP_ROWS x TAP_COLUMNS taps of the window from the
// channel's banks, a beat of each, again for each output fold.
//
// Stages of a phase that starts in cycle t: memory t + 1, operands t + 2, then as `multiply` says.
module direct #(
    parameter TAP_ROWS = 1,      // 1 or ROWS
    parameter TAP_COLUMNS = 1,   // 1 or COLUMNS
    parameter LANES = 1,         // of the input
    parameter CHOSEN = 1,        // lanes of them that an element multiplies
    parameter OWN = 1,           // sets of operands: PE / OWN elements share each
    parameter INSIDE = 1,        // input channels of a group
    parameter MEMBERS = 1,       // output channels of a group
    parameter BITS = 8,          // of an input number
    parameter SIGNED = 0,
    parameter [BITS-1:0] ZERO = 0,
    parameter PARTS = 1,         // phases of an output fold
    parameter PART = 1,
    parameter [3:0] FIRST_ROW = 0,
    parameter [3:0] FIRST_COLUMN = 0,
    parameter [ADDRESS-1:0] FIRST_PLACE = 0,
    parameter ROWS = 1,          // banks of the input's memory
    parameter COLUMNS = 1,
    parameter ROW_WORDS = 1,
    parameter IN_BEATS = 1,      // beats a pixel of the input
    parameter ADDRESS = 1,
    parameter SPAN = 2,          // words of a bank of it
    parameter SIMD = 1,
    parameter PE = 1,
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
    output logic [OUT_LANES*OUT_BITS-1:0]                   write_data
);
    localparam TAPS = TAP_ROWS * TAP_COLUMNS;
    localparam MICRO = 10 + ADDRESS + TAP_ROWS + TAP_COLUMNS;
    localparam OUT_BEATS = (OUTPUTS + OUT_LANES - 1) / OUT_LANES;

    logic fire, step;
    logic [1-1:0] give;
    logic [MICRO-1:0] micro, next_micro;
    control #(
        .WORDS(PROGRAM), .LEVELS(LEVELS), .REPEAT(REPEAT), .RUN(RUN), .TAKE(TAKE), .INPUTS(1 + ADD), .OUTPUTS(1),
        .LINKS(LINKS), .SECOND(SECOND), .SLACK(SLACK), .MICRO(MICRO), .FLAGS({{MICRO - 2{1'b0}}, 2'b11}),
        .STYLE(PROGRAM_STYLE), .IMAGE(IMAGE), .KINDS(KINDS), .LOOPS(LOOPS), .FLOW(FLOW), .START(START)
    ) phases (
        .clk(clk), .reset(reset), .arrived(arrived), .freed(freed), .released(released), .fire(fire), .give(give),
        .micro(micro), .step(step), .next_micro(next_micro)
    );

    logic compute, take;
    logic [3:0] down, right;
    logic [ADDRESS-1:0] along;
    logic [TAP_ROWS-1:0] row_mask, row_mask_1;
    logic [TAP_COLUMNS-1:0] column_mask, column_mask_1;
    assign {column_mask, row_mask, along, right, down, take, compute} = micro;

    logic [TAPS*LANES*BITS-1:0] words;
    gather #(
        .BITS(LANES * BITS), .ROWS(ROWS), .COLUMNS(COLUMNS), .ROW_WORDS(ROW_WORDS), .BEATS(IN_BEATS), .ADDRESS(ADDRESS), .SPAN(SPAN),
        .PORT_ROWS(TAP_ROWS), .PORT_COLUMNS(TAP_COLUMNS), .FIRST_ROW(FIRST_ROW), .FIRST_COLUMN(FIRST_COLUMN),
        .FIRST_PLACE(FIRST_PLACE)
    ) fetching (
        .clk(clk), .reset(reset), .step(step), .next_along(next_micro[10+:ADDRESS]), .move(compute), .down(down),
        .right(right), .along(along), .read_address(read_address), .read_data(read_data), .words(words)
    );
    always_ff @(posedge clk) begin
        row_mask_1 <= row_mask;
        column_mask_1 <= column_mask;
    end

    logic computed_1, first_1, ended_1, given_1;
    logic [PART-1:0] part_1;
    logic [FOLD-1:0] fold_1;
    logic [WORD-1:0] word;
    logic [BEAT-1:0] beat_1;
    folds #(.PARTS(PARTS), .PART(PART), .FOLDS(FOLDS), .FOLD(FOLD), .WORD(WORD), .OUTSIDE(0)) numbering (
        .clk(clk), .reset(reset), .compute(compute), .computed(computed_1), .first(first_1), .ended(ended_1),
        .part(part_1), .fold(fold_1), .word(), .next_word(word)
    );
    tally #(.COUNT(OUT_BEATS), .BITS(BEAT)) beats (
        .clk(clk), .reset(reset), .happens(give[0]), .happened(given_1), .number(beat_1)
    );

    // Operands in t + 2: what lies in the padding is ZERO.
    logic [OWN*SIMD*(BITS+1)-1:0] x;
    genvar q, t, c;
    generate
        for (q = 0; q < OWN; q = q + 1) begin : set
            for (t = 0; t < TAPS; t = t + 1) begin : tap
                logic [LANES*BITS-1:0] beat;
                logic real_tap;
                assign beat = words[t*LANES*BITS+:LANES*BITS];
                assign real_tap = row_mask_1[t/TAP_COLUMNS] && column_mask_1[t%TAP_COLUMNS];
                for (c = 0; c < CHOSEN; c = c + 1) begin : lane
                    logic [BITS-1:0] number;
                    logic [BITS:0] operand;
                    if (INSIDE >= LANES) begin : shared
                        assign number = beat[c*BITS+:BITS];
                    end else begin : of_group
                        // The lane of each output fold's channel.
                        logic [FOLDS*BITS-1:0] choices;
                        genvar f;
                        for (f = 0; f < FOLDS; f = f + 1) begin : at
                            localparam FIRST = f * PE + q * (PE / OWN);
                            localparam OUT = (FIRST < OUTPUTS) ? FIRST : 0;
                            localparam LANE = ((OUT / MEMBERS) * INSIDE + c) % LANES;
                            assign choices[f*BITS+:BITS] = beat[LANE*BITS+:BITS];
                        end
                        choose #(.N(FOLDS), .WIDTH(BITS), .SELECT(FOLD)) of_fold (
                            .words(choices), .select(fold_1), .word(number)
                        );
                    end
                    always_ff @(posedge clk)
                        operand <= real_tap ? {SIGNED != 0 && number[BITS-1], number}
                            : {SIGNED != 0 && ZERO[BITS-1], ZERO};
                    assign x[((q*TAPS+t)*CHOSEN+c)*(BITS+1)+:BITS+1] = operand;
                end
            end
        end
    endgenerate
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
        .SKIP_FACTOR(SKIP_FACTOR), .SKIP_POWERS(SKIP_POWERS), .WAIT(1), .INNER(INNER),
        .INNER_FACTOR(INNER_FACTOR), .INNER_POWERS(INNER_POWERS), .INNER_TOTAL(INNER_TOTAL),
        .INNER_SHIFT(INNER_SHIFT), .INNER_MODE(INNER_MODE), .INNER_LOW(INNER_LOW), .INNER_HIGH(INNER_HIGH),
        .INNER_ZERO(INNER_ZERO), .INNER_BITS(INNER_BITS), .WEIGHT_STYLE(WEIGHT_STYLE), .BIAS_STYLE(BIAS_STYLE),
        .WEIGHTS(WEIGHTS), .BIAS(BIAS), .SCALES(SCALES),
        .SCALE_STYLE(SCALE_STYLE), .INNER_STYLE(INNER_STYLE), .INNER_SCALES(INNER_SCALES)
    ) multiplying (
        .clk(clk), .compute(computed_1), .first(first_1), .ended(ended_1), .fold(fold_1), .word(word), .give(given_1),
        .beat(beat_1), .x(x), .skip(skip), .write(write), .write_data(write_data)
    );
endmodule
