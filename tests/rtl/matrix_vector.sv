// The matrix-vector actor in the held form: convolution, grouped and depthwise convolution, dense layer; with a tap
// (the beats of kernel row TAP_ROW go out as they are fetched) and a merged add (one skip beat in a giving phase).
//
// Stages of a phase that starts in cycle t: memory t + 1, staging t + 2, operands t + 3, product t + 4, tree
// (T = clog2(SIMD) levels), accumulator, beat, scale, sum (ADD = 1 where there is a skip), rounding; so
// p = 8 + T + ADD. The tap's p is 1.
module matrix_vector #(
    parameter KH = 1,
    parameter KW = 1,
    parameter CHANNELS = 1,      // of the input
    parameter ROWS = 1,          // of the input
    parameter ROW = 1,           // beats in a row of the input
    parameter LANES = 1,         // of the input
    parameter BITS = 8,          // of an input number
    parameter SIGNED = 0,
    parameter [BITS-1:0] ZERO = 0,
    parameter COLUMNS = 1,
    parameter SLOTS = 1,
    parameter PORTS = 1,
    parameter BANKS = 1,
    parameter ADDRESS = 1,
    parameter SIMD = 1,
    parameter PE = 1,
    parameter GROUPS = 1,
    parameter PAIR = 0,
    parameter OUTPUTS = 1,       // output channels
    parameter OUT_LANES = 1,
    parameter OUT_BITS = 8,
    parameter signed [31:0] LOW = 0,
    parameter signed [31:0] HIGH = 255,
    parameter SHIFT = 8,
    parameter ADD = 0,
    parameter SKIP_BITS = 8,
    parameter SKIP_SIGNED = 0,
    parameter SKIP_BANKS = 1,
    parameter SKIP_ROW = 1,
    parameter SKIP_ADDRESS = 1,
    parameter TAP_ROW = 0,
    parameter LINKS = 1,
    parameter COUNT = 16,
    parameter PHASES = 1,
    parameter IMAGE = "control.hex",
    parameter WEIGHTS = "weights.hex",
    parameter BIAS = "bias.hex",
    parameter SCALES = "scales.hex"
) (
    input  logic                                           clk,
    input  logic                                           reset,
    input  logic [(1+ADD)*COUNT-1:0]                       preset,
    input  logic [LINKS*COUNT-1:0]                         depth,
    input  logic [ADD:0]                                   arrived,
    input  logic [LINKS*COUNT-1:0]                         freed,
    output logic [(1+ADD)*COUNT-1:0]                       released,
    output logic                                           fire,
    output logic [BANKS*ADDRESS-1:0]                       read_address,
    input  logic [BANKS*LANES*BITS-1:0]                    read_data,
    output logic [SKIP_BANKS*SKIP_ADDRESS-1:0]             skip_address,
    input  logic [SKIP_BANKS*OUT_LANES*SKIP_BITS-1:0]      skip_data,
    output logic                                           write,
    output logic [OUT_LANES*OUT_BITS-1:0]                  write_data,
    output logic                                           tap_write,
    output logic [LANES*BITS-1:0]                          tap_data
);
    localparam MICRO = 103;
    localparam X = BITS + 1;
    localparam W = 8;
    localparam ACC = 32;
    localparam SCALE = 16;
    localparam OFFSET = 48;
    localparam FLAT = KH * KW * CHANNELS / GROUPS;
    localparam SF = (FLAT + SIMD - 1) / SIMD;
    localparam NF = (OUTPUTS + PE - 1) / PE;
    localparam OWN = (GROUPS == 1) ? 1 : PE;
    localparam T = $clog2(SIMD);
    localparam SUMMED = 4 + T;   // the accumulator adds in this cycle of a phase
    localparam SELECT = 5 + T;
    localparam STAGES = 8 + T + ADD;

    logic last;
    logic [MICRO-1:0] word, micro;
    assign micro = fire ? word : {MICRO{1'b0}};

    control #(.PHASES(PHASES), .INPUTS(1 + ADD), .LINKS(LINKS), .COUNT(COUNT), .MICRO(MICRO), .IMAGE(IMAGE)) phases (
        .clk(clk), .reset(reset), .preset(preset), .depth(depth), .arrived(arrived), .freed(freed),
        .released(released), .fire(fire), .last(last), .give(), .micro(word)
    );

    // Fetch: address in t, words in t + 1, staging in t + 2.
    logic [PORTS*LANES*BITS-1:0] words;
    fetch #(.WIDTH(LANES * BITS), .BANKS(BANKS), .ROW(ROW), .ROWS(ROWS), .ADDRESS(ADDRESS), .PORTS(PORTS)) fetching (
        .clk(clk), .reset(reset), .frame_end(fire && last), .row_bank(word[4:1]), .row_word(word[20:5]),
        .read_address(read_address), .read_data(read_data), .words(words)
    );
    logic [MICRO-1:0] micro_1, micro_2;
    always_ff @(posedge clk) begin
        micro_1 <= micro;
        micro_2 <= micro_1;
    end
    assign tap_write = !reset && micro_1[89];
    assign tap_data = words[((PORTS == 1) ? 0 : TAP_ROW)*LANES*BITS+:LANES*BITS];

    logic [KH*KW*CHANNELS*BITS-1:0] held;
    window #(
        .KH(KH), .KW(KW), .CHANNELS(CHANNELS), .BITS(BITS), .LANES(LANES), .COLUMNS(COLUMNS), .SLOTS(SLOTS),
        .PORTS(PORTS), .ZERO(ZERO)
    ) holding (
        .clk(clk),
        .fetch(micro_1[0]), .fetch_row(micro_1[24:21]), .fetch_column(micro_1[28:25]), .fetch_slot(micro_1[30:29]),
        .fetch_beat(micro_1[36:31]), .words(words),
        .load(micro_2[37]), .load_slot(micro_2[39:38]), .row_mask(micro_2[47:40]), .column_mask(micro_2[55:48]),
        .clear(micro_2[56]), .held(held)
    );

    // Operands and weights, both in t + 3.
    logic [OWN*SIMD*X-1:0] x;
    logic [PE*SIMD*W-1:0] w;
    operands #(
        .TAPS(KH * KW), .CHANNELS(CHANNELS), .GROUPS(GROUPS), .OUTPUTS(OUTPUTS), .BITS(BITS), .SIGNED(SIGNED),
        .SIMD(SIMD), .PE(PE), .SHARED(OWN), .FOLDS((GROUPS == 1) ? SF : SF * NF)
    ) choosing (
        .clk(clk), .fold((GROUPS == 1) ? micro_2[102:91] : micro_2[69:58]), .held(held), .chosen(x)
    );
    rom #(.WIDTH(PE * SIMD * W), .WORDS(SF * NF), .IMAGE(WEIGHTS)) weights (
        .clk(clk), .address(micro_2[69:58]), .word(w)
    );

    logic [PE*ACC-1:0] sums;
    genvar q;
    generate
        if (PAIR != 0) begin : pairs
            for (q = 0; q < PE; q = q + 2) begin : element
                if (q + 1 < PE) begin : two
                    dot_pair #(.SIMD(SIMD), .X(X), .W(W), .SUM(ACC)) dots (
                        .clk(clk), .x(x), .low(w[q*SIMD*W+:SIMD*W]), .high(w[(q+1)*SIMD*W+:SIMD*W]),
                        .low_sum(sums[q*ACC+:ACC]), .high_sum(sums[(q+1)*ACC+:ACC])
                    );
                end else begin : one
                    dot #(.SIMD(SIMD), .X(X), .W(W), .SUM(ACC)) dots (
                        .clk(clk), .x(x), .w(w[q*SIMD*W+:SIMD*W]), .sum(sums[q*ACC+:ACC])
                    );
                end
            end
        end else begin : singles
            for (q = 0; q < PE; q = q + 1) begin : element
                dot #(.SIMD(SIMD), .X(X), .W(W), .SUM(ACC)) dots (
                    .clk(clk), .x(x[((OWN == 1) ? 0 : q)*SIMD*X+:SIMD*X]), .w(w[q*SIMD*W+:SIMD*W]),
                    .sum(sums[q*ACC+:ACC])
                );
            end
        end
    endgenerate

    // The accumulators, started with the bias.
    logic [1:0] adding;  // first, compute
    logic [7:0] bias_fold;
    logic [PE*ACC-1:0] bias, acc;
    delay #(.WIDTH(2), .STAGES(SUMMED)) to_sum (.clk(clk), .in({micro[70], micro[57]}), .out(adding));
    delay #(.WIDTH(8), .STAGES(SUMMED - 1)) to_bias (.clk(clk), .in(micro[79:72]), .out(bias_fold));
    rom #(.WIDTH(PE * ACC), .WORDS(NF), .IMAGE(BIAS)) biases (
        .clk(clk), .address({4'b0, bias_fold}), .word(bias)
    );
    generate
        for (q = 0; q < PE; q = q + 1) begin : accumulator
            always_ff @(posedge clk)
                if (adding[0])
                    acc[q*ACC+:ACC] <= (adding[1] ? bias[q*ACC+:ACC] : acc[q*ACC+:ACC]) + sums[q*ACC+:ACC];
        end
    endgenerate

    // A beat: channels of the fold that ends in this very phase come from the accumulators, others were kept.
    logic ended;
    logic [7:0] ended_fold, beat;
    delay #(.WIDTH(17), .STAGES(SELECT)) to_select (
        .clk(clk), .in({micro[88:81], micro[79:72], micro[71]}), .out({beat, ended_fold, ended})
    );
    localparam BEATS = (OUTPUTS + OUT_LANES - 1) / OUT_LANES;
    logic [BEATS*OUT_LANES*ACC-1:0] all;
    logic [OUT_LANES*ACC-1:0] selected;
    genvar c;
    generate
        for (c = 0; c < BEATS * OUT_LANES; c = c + 1) begin : channel
            if (c < OUTPUTS) begin : used
                localparam [31:0] FOLD = c / PE;
                logic [ACC-1:0] kept;
                logic now;
                assign now = ended && ended_fold == FOLD[7:0];
                always_ff @(posedge clk) if (now) kept <= acc[(c%PE)*ACC+:ACC];
                assign all[c*ACC+:ACC] = now ? acc[(c%PE)*ACC+:ACC] : kept;
            end else begin : filler
                assign all[c*ACC+:ACC] = 0;
            end
        end
    endgenerate
    always_ff @(posedge clk) selected <= all[beat*OUT_LANES*ACC+:OUT_LANES*ACC];

    // Requantised in OUT_LANES lanes, with the skip's beat delayed to the sum.
    localparam ENTRY = OFFSET + 2 * SCALE;
    logic [OUT_LANES*ENTRY-1:0] scales;
    logic [OUT_LANES*SKIP_BITS-1:0] skip;
    rom #(.WIDTH(OUT_LANES * ENTRY), .WORDS(BEATS), .IMAGE(SCALES)) scaling (
        .clk(clk), .address({4'b0, beat}), .word(scales)
    );
    generate
        if (ADD != 0) begin : add
            logic [OUT_LANES*SKIP_BITS-1:0] taken;
            taking #(
                .WIDTH(OUT_LANES * SKIP_BITS), .BANKS(SKIP_BANKS), .ROW(SKIP_ROW), .ADDRESS(SKIP_ADDRESS)
            ) skips (
                .clk(clk), .reset(reset), .take(micro[90]), .read_address(skip_address), .read_data(skip_data),
                .beat(taken)
            );
            delay #(.WIDTH(OUT_LANES * SKIP_BITS), .STAGES(SELECT)) waiting (
                .clk(clk), .in(taken), .out(skip)
            );
        end else begin : no_add
            assign skip = 0;
            assign skip_address = 0;
        end
        for (c = 0; c < OUT_LANES; c = c + 1) begin : lane
            requantise #(
                .ACC(ACC), .MULTIPLIER(SCALE), .OFFSET(OFFSET), .SHIFT(SHIFT), .BITS(OUT_BITS), .ADD(ADD),
                .SKIP(SKIP_BITS + 1), .LOW(LOW), .HIGH(HIGH)
            ) rounding (
                .clk(clk), .acc(selected[c*ACC+:ACC]),
                .multiplier(scales[c*ENTRY+:SCALE]), .skip_multiplier(scales[c*ENTRY+SCALE+:SCALE]),
                .offset(scales[c*ENTRY+2*SCALE+:OFFSET]),
                .skip({SKIP_SIGNED != 0 && skip[c*SKIP_BITS+SKIP_BITS-1], skip[c*SKIP_BITS+:SKIP_BITS]}),
                .rounded(write_data[c*OUT_BITS+:OUT_BITS])
            );
        end
    endgenerate

    logic given;
    delay #(.WIDTH(1), .STAGES(STAGES)) to_write (.clk(clk), .in(micro[80]), .out(given));
    assign write = !reset && given;
endmodule
