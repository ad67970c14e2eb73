// Whole sums through multiply, given as they are: COUNT rounds of PARTS phases for each of FOLDS folds, a phase a clock,
// fold by fold or, with many ACCUMULATORS, part by part. Beats that are written are held in their order against the file
// WANTED, of COUNT x FOLDS words; the file OPERANDS has COUNT x PARTS words.
module multiply_case #(
    parameter CASE = 0,
    parameter COUNT = 1,
    parameter OPERANDS = "operands.hex",
    parameter WANTED = "wanted.hex",
    parameter WEIGHTS = "weights.hex",
    parameter BIAS = "bias.hex",
    parameter SCALES = "scales.hex",
    parameter SIMD = 1,
    parameter PE = 1,
    parameter X = 9,
    parameter W = 8,
    parameter OWN = 1,
    parameter PAIR = 0,
    parameter SOFT = 0,
    parameter PARTS = 1,
    parameter FOLDS = 1,
    parameter ACCUMULATORS = 1,
    parameter ACC = 32,
    parameter FROM = 0
) (
    input logic        clk,
    input logic [31:0] at
);
    localparam WORD = (PARTS * FOLDS == 1) ? 1 : $clog2(PARTS * FOLDS);
    localparam FOLD = (FOLDS == 1) ? 1 : $clog2(FOLDS);
    logic [OWN*SIMD*X-1:0] operands[0:COUNT*PARTS-1];
    logic [PE*ACC-1:0] wanted[0:COUNT*FOLDS-1];
    initial $readmemh(OPERANDS, operands);
    initial $readmemh(WANTED, wanted);

    logic runs;
    logic [31:0] now, part, fold, round, word, written;  // the number of the weights comes a cycle before what they are for
    logic [OWN*SIMD*X-1:0] x;
    assign now = at - 1;
    assign runs = now < COUNT * PARTS * FOLDS;
    assign round = now / (PARTS * FOLDS);
    assign part = (ACCUMULATORS == 1) ? now % PARTS : now / FOLDS % PARTS;
    assign fold = (ACCUMULATORS == 1) ? now / PARTS % FOLDS : now % FOLDS;
    assign word = (ACCUMULATORS == 1) ? at % (PARTS * FOLDS) : at % FOLDS * PARTS + at / FOLDS % PARTS;
    always_ff @(posedge clk) x <= operands[runs ? round * PARTS + part : 0];

    logic write;
    logic [PE*ACC-1:0] beat;
    multiply #(
        .SIMD(SIMD), .PE(PE), .X(X), .W(W), .OWN(OWN), .PAIR(PAIR), .SOFT(SOFT), .WORDS(PARTS * FOLDS), .WORD(WORD), .FOLDS(FOLDS),
        .FOLD(FOLD), .ACCUMULATORS(ACCUMULATORS), .ACC(ACC), .OUTPUTS(PE * FOLDS), .LANES(PE), .BEAT(FOLD), .FROM(FROM),
        .BITS(ACC), .POWERS(1), .TOTAL(ACC + 1), .CLAMP(0), .WEIGHTS(WEIGHTS), .BIAS(BIAS), .SCALES(SCALES)
    ) under_test (
        .clk(clk), .compute(runs), .first(part == 0), .ended(part == PARTS - 1), .fold(fold[FOLD-1:0]),
        .word(word[WORD-1:0]), .give(runs && part == PARTS - 1), .beat(fold[FOLD-1:0]), .x(x), .skip({8 * PE{1'b0}}),
        .write(write), .write_data(beat)
    );
    initial written = 0;
    // What a pipeline holds at first is written while it fills.
    localparam STAGES = 7 + $clog2(SIMD);
    always_ff @(posedge clk)
        if (write && at >= STAGES && written < COUNT * FOLDS) begin
            written <= written + 1;
            if (beat != wanted[written]) $display("differs %0d %0d: %h and not %h", CASE, written, beat, wanted[written]);
            if (written == COUNT * FOLDS - 1) $display("compared %0d", COUNT * FOLDS);
        end
endmodule
