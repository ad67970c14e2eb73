// From operands to beats: products, their tree, accumulators, the beat, rounding.
//
// A phase's flags come in cycle c, the number of its weights in c - 1, and its operands in c + 1. Products c + 2, tree
// (T = clog2(SIMD) levels), accumulator c + 3 + T, beat, where INNER the result's own scale and rounding, scale, sum
// (ADD), rounding: a beat is written STAGES after c. The skip's beat comes in cycle c - WAIT + 1.
module multiply #(
    parameter SIMD = 1,
    parameter PE = 1,
    parameter X = 9,             // bits of an operand
    parameter W = 8,             // bits of a weight
    parameter OWN = 1,           // sets of operands: PE / OWN elements share each
    parameter PAIR = 0,          // whether two weights share a multiplier
    parameter LENT = 0,          // how those of a pair are kept: see dot_pair
    parameter SOFT = 0,          // whether multipliers are made of LUTs
    parameter WORDS = 1,         // weight words
    parameter WORD = 1,          // bits of their address
    parameter FOLDS = 1,         // output folds
    parameter FOLD = 1,          // bits of their number
    parameter ACCUMULATORS = 1,  // 1, or FOLDS where they are all summed at once
    parameter PARTIAL_STYLE = "auto",
    parameter WEIGHT_STYLE = "auto",
    parameter BIAS_STYLE = "auto",
    parameter ACC = 32,
    parameter OUTPUTS = 1,
    parameter LANES = 1,
    parameter BEAT = 1,          // bits of an output beat's number
    parameter HISTORY = 0,       // folds that are kept behind their end
    parameter CHOICES = 1,       // ways to fill a beat
    parameter CHOICE = 1,        // bits of their number
    parameter PICK = 0,          // the way of each beat
    parameter FROM = 0,          // the source of each lane of each way, 16 bits each; all ones: none
    parameter BITS = 8,
    parameter FACTOR = 1,
    parameter POWERS = 0,
    parameter TOTAL = 33,
    parameter SHIFT = 0,
    parameter MODE = 0,
    parameter CLAMP = 1,
    parameter signed [31:0] LOW = 0,
    parameter signed [31:0] HIGH = 255,
    parameter signed [31:0] ZERO = 0,
    parameter ADD = 0,
    parameter SKIP = 8,          // bits of a skip's number
    parameter SKIP_SIGNED = 0,
    parameter SKIP_FACTOR = 1,
    parameter SKIP_POWERS = 0,
    parameter WAIT = 1,
    parameter INNER = 0,
    parameter INNER_FACTOR = 1,
    parameter INNER_POWERS = 0,
    parameter INNER_TOTAL = 33,
    parameter INNER_SHIFT = 0,
    parameter INNER_MODE = 0,
    parameter signed [31:0] INNER_LOW = 0,
    parameter signed [31:0] INNER_HIGH = 255,
    parameter signed [31:0] INNER_ZERO = 0,
    parameter INNER_BITS = 9,    // signed
    parameter WEIGHTS = "weights.hex",
    parameter BIAS = "bias.hex",
    parameter SCALE_STYLE = "auto",
    parameter SCALES = "scales.hex",
    parameter INNER_STYLE = "auto",
    parameter INNER_SCALES = "inner.hex"
) (
    input  logic                       clk,
    input  logic                       compute,
    input  logic                       first,     // the fold's first phase
    input  logic                       ended,     // its last one
    input  logic [FOLD-1:0]            fold,
    input  logic [WORD-1:0]            word,      // of the weights, a cycle before the flags
    input  logic                       give,
    input  logic [BEAT-1:0]            beat,
    input  logic [OWN*SIMD*X-1:0]      x,
    input  logic [LANES*SKIP-1:0]      skip,
    output logic                       write,
    output logic [LANES*BITS-1:0]      write_data
);
    localparam T = $clog2(SIMD);
    localparam SUMMED = 2 + T;         // the accumulator adds in this cycle, counted from c
    localparam SELECT = SUMMED + 1;
    localparam SCALED = SELECT + 1 + 2 * INNER;
    localparam STAGES = SCALED + 2 + ADD;

    logic [PE*SIMD*W-1:0] w;
    rom #(
        .WIDTH(PE * SIMD * W), .WORDS(WORDS), .ADDRESS(WORD), .STAGES(2), .STYLE(WEIGHT_STYLE), .IMAGE(WEIGHTS)
    ) weights (
        .clk(clk), .address(word), .word(w)
    );

    // A sum, and the carry that it still lacks. Elements share multipliers two by two, where they share operands.
    localparam SHARED = (PAIR != 0 && OWN < PE) ? 1 : 0;
    logic [PE*ACC-1:0] sums;
    logic [PE-1:0] carries;
    genvar q;
    generate
        for (q = 0; q < PE; q = q + 1) begin : element
            if (SHARED != 0 && q % 2 == 0 && q + 1 < PE) begin : two
                dot_pair #(.SIMD(SIMD), .X(X), .W(W), .SUM(ACC), .LENT(LENT)) dots (
                    .clk(clk), .x(x[q*OWN/PE*SIMD*X+:SIMD*X]), .low(w[q*SIMD*W+:SIMD*W]), .high(w[(q+1)*SIMD*W+:SIMD*W]),
                    .low_sum(sums[q*ACC+:ACC]), .high_sum(sums[(q+1)*ACC+:ACC]), .high_carry(carries[q+1])
                );
                assign carries[q] = 1'b0;
            end else if (SHARED == 0 || q % 2 == 0) begin : one
                dot #(.SIMD(SIMD), .X(X), .W(W), .SUM(ACC), .SOFT(SOFT)) dots (
                    .clk(clk), .x(x[q*OWN/PE*SIMD*X+:SIMD*X]), .w(w[q*SIMD*W+:SIMD*W]),
                    .sum(sums[q*ACC+:ACC])
                );
                assign carries[q] = 1'b0;
            end
        end
    endgenerate

    // The accumulators, started with the bias.
    logic add_now, add_first;
    logic [FOLD-1:0] bias_fold, sum_fold;
    logic [PE*ACC-1:0] bias, acc;
    delay #(.WIDTH(2), .STAGES(SUMMED)) to_sum (.clk(clk), .in({first, compute}), .out({add_first, add_now}));
    delay #(.WIDTH(FOLD), .STAGES(SUMMED - 1)) to_bias (.clk(clk), .in(fold), .out(bias_fold));
    always_ff @(posedge clk) sum_fold <= bias_fold;
    rom #(.WIDTH(PE * ACC), .WORDS(FOLDS), .ADDRESS(FOLD), .STYLE(BIAS_STYLE), .IMAGE(BIAS)) biases (
        .clk(clk), .address(bias_fold), .word(bias)
    );
    generate
        for (q = 0; q < PE; q = q + 1) begin : accumulator
            logic [ACC-1:0] so_far, total;
            if (ACCUMULATORS == 1) begin : only
                assign so_far = add_first ? bias[q*ACC+:ACC] : acc[q*ACC+:ACC];
            end else begin : many
                (* ram_style = PARTIAL_STYLE *) logic [ACC-1:0] partial[0:ACCUMULATORS-1];
                assign so_far = add_first ? bias[q*ACC+:ACC] : partial[sum_fold];
                always_ff @(posedge clk) if (add_now) partial[sum_fold] <= total;
            end
            if (SHARED != 0 && q % 2 == 1) begin : lacks
                // The carry comes in beneath both.
                logic [ACC:0] carried;
                assign carried = {so_far, 1'b1} + {sums[q*ACC+:ACC], carries[q]};
                assign total = carried[ACC:1];
            end else begin : whole
                assign total = so_far + sums[q*ACC+:ACC];
            end
            always_ff @(posedge clk) if (add_now) acc[q*ACC+:ACC] <= total;
        end
    endgenerate

    // A beat: its channels come from the accumulators, where their fold ends in this very phase, or from folds that
    // ended before, which are kept newest first.
    localparam BEATS = (OUTPUTS + LANES - 1) / LANES;
    logic ended_now;
    logic [BEAT-1:0] select, scale_beat;
    delay #(.WIDTH(1), .STAGES(SELECT)) to_ended (.clk(clk), .in(ended), .out(ended_now));
    delay #(.WIDTH(BEAT), .STAGES(SELECT)) to_select (.clk(clk), .in(beat), .out(select));
    logic [(HISTORY+1)*PE*ACC-1:0] sources;
    logic [CHOICE-1:0] pick;
    logic [LANES*ACC-1:0] selected;
    assign sources[0+:PE*ACC] = acc;
    genvar c, h, n;
    generate
        for (h = 0; h < HISTORY; h = h + 1) begin : history
            logic [PE*ACC-1:0] fold_ago;
            always_ff @(posedge clk) if (ended_now) fold_ago <= sources[h*PE*ACC+:PE*ACC];
            assign sources[(h+1)*PE*ACC+:PE*ACC] = fold_ago;
        end
        if (CHOICES == 1) begin : one_way
            assign pick = {CHOICE{1'b0}};
        end else begin : ways
            localparam [BEATS*CHOICE-1:0] TABLE = PICK;
            logic [CHOICE-1:0] way;
            choose #(.N(BEATS), .WIDTH(CHOICE), .SELECT(BEAT)) of_beat (.words(TABLE), .select(beat), .word(way));
            delay #(.WIDTH(CHOICE), .STAGES(SELECT)) to_pick (.clk(clk), .in(way), .out(pick));
        end
        for (c = 0; c < LANES; c = c + 1) begin : chosen
            localparam [CHOICES*LANES*16-1:0] TABLE = FROM;
            logic [CHOICES*ACC-1:0] choices;
            for (n = 0; n < CHOICES; n = n + 1) begin : way
                localparam [15:0] AT = TABLE[(n*LANES+c)*16+:16];
                if (AT == 16'hffff) begin : none
                    assign choices[n*ACC+:ACC] = {ACC{1'b0}};
                end else begin : some
                    assign choices[n*ACC+:ACC] = sources[AT*ACC+:ACC];
                end
            end
            logic [ACC-1:0] picked;
            choose #(.N(CHOICES), .WIDTH(ACC), .SELECT(CHOICE)) of_way (.words(choices), .select(pick), .word(picked));
            always_ff @(posedge clk) selected[c*ACC+:ACC] <= picked;
        end
    endgenerate

    // The result's own codes, where it has some before the sum.
    localparam MIDDLE = (INNER != 0) ? INNER_BITS : ACC;
    logic [LANES*MIDDLE-1:0] result;
    generate
        if (INNER != 0) begin : inner
            localparam ENTRY = INNER_FACTOR + INNER_TOTAL;
            logic [LANES*ENTRY-1:0] inner_scales;
            rom #(.WIDTH(LANES * ENTRY), .WORDS(BEATS), .ADDRESS(BEAT), .STYLE(INNER_STYLE),
                .IMAGE(INNER_SCALES)) scaling (
                .clk(clk), .address(select), .word(inner_scales)
            );
            for (c = 0; c < LANES; c = c + 1) begin : lane
                requantise #(
                    .ACC(ACC), .FACTOR(INNER_FACTOR), .POWERS(INNER_POWERS), .TOTAL(INNER_TOTAL),
                    .SHIFT(INNER_SHIFT), .MODE(INNER_MODE), .LOW(INNER_LOW), .HIGH(INNER_HIGH), .ZERO(INNER_ZERO),
                    .BITS(INNER_BITS)
                ) rounding (
                    .clk(clk), .acc(selected[c*ACC+:ACC]), .factor(inner_scales[c*ENTRY+:INNER_FACTOR]),
                    .offset(inner_scales[c*ENTRY+INNER_FACTOR+:INNER_TOTAL]), .skip(9'd0), .skip_factor(16'd0),
                    .code(result[c*INNER_BITS+:INNER_BITS])
                );
            end
        end else begin : direct
            assign result = selected;
        end
    endgenerate

    // Requantised in LANES lanes, with the skip's beat delayed to the sum.
    localparam ENTRY = FACTOR + ADD * SKIP_FACTOR + TOTAL;
    logic [LANES*ENTRY-1:0] scales;
    delay #(.WIDTH(BEAT), .STAGES(2 * INNER)) to_scale (.clk(clk), .in(select), .out(scale_beat));
    rom #(.WIDTH(LANES * ENTRY), .WORDS(BEATS), .ADDRESS(BEAT), .STYLE(SCALE_STYLE), .IMAGE(SCALES)) scaling (
        .clk(clk), .address(scale_beat), .word(scales)
    );
    logic [LANES*(SKIP+1)-1:0] summand;
    generate
        if (ADD != 0) begin : add
            logic [LANES*SKIP-1:0] waited;
            delay #(.WIDTH(LANES * SKIP), .STAGES(SCALED + WAIT - 1)) waiting (.clk(clk), .in(skip), .out(waited));
            for (c = 0; c < LANES; c = c + 1) begin : lane
                assign summand[c*(SKIP+1)+:SKIP+1] =
                    {SKIP_SIGNED != 0 && waited[c*SKIP+SKIP-1], waited[c*SKIP+:SKIP]};
            end
        end else begin : no_add
            assign summand = {LANES * (SKIP + 1) {1'b0}};
        end
        for (c = 0; c < LANES; c = c + 1) begin : lane
            logic [SKIP_FACTOR-1:0] skip_factor;
            if (ADD != 0) begin : with_skip
                assign skip_factor = scales[c*ENTRY+FACTOR+:SKIP_FACTOR];
            end else begin : without
                assign skip_factor = {SKIP_FACTOR{1'b0}};
            end
            requantise #(
                .ACC(MIDDLE), .FACTOR(FACTOR), .POWERS(POWERS), .TOTAL(TOTAL), .SHIFT(SHIFT), .MODE(MODE),
                .CLAMP(CLAMP), .LOW(LOW), .HIGH(HIGH), .ZERO(ZERO), .BITS(BITS), .ADD(ADD), .SKIP(SKIP + 1),
                .SKIP_FACTOR(SKIP_FACTOR), .SKIP_POWERS(SKIP_POWERS)
            ) rounding (
                .clk(clk), .acc(result[c*MIDDLE+:MIDDLE]), .factor(scales[c*ENTRY+:FACTOR]),
                .offset(scales[c*ENTRY+FACTOR+ADD*SKIP_FACTOR+:TOTAL]),
                .skip(summand[c*(SKIP+1)+:SKIP+1]), .skip_factor(skip_factor),
                .code(write_data[c*BITS+:BITS])
            );
        end
    endgenerate

    delay #(.WIDTH(1), .STAGES(STAGES)) to_write (.clk(clk), .in(give), .out(write));
endmodule
