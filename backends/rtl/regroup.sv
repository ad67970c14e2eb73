// Pixels in other lanes, some of their channels, zero channels around them; rounded anew where ROUND (an activation on
// its own).
//
// Stages of a phase that starts in cycle t: memory t + 1, beat t + 2, where ROUND scale t + 3 and rounding t + 4.
module regroup #(
    parameter LANES = 1,
    parameter BITS = 8,
    parameter SIGNED = 0,
    parameter [BITS-1:0] ZERO = 0,
    parameter BEATS = 1,         // beats of a pixel that are read
    parameter READ = 1,          // bits of their number
    parameter OFFSET = 0,        // the first kept channel among those that are read
    parameter BEFORE = 0,        // zero channels in front of the kept ones
    parameter KEPT = 1,
    parameter OUTPUTS = 1,
    parameter OUT_LANES = 1,
    parameter OUT_BITS = 8,
    parameter BEAT = 1,
    parameter [3:0] FIRST_ROW = 0,
    parameter [3:0] FIRST_COLUMN = 0,
    parameter [ADDRESS-1:0] FIRST_PLACE = 0,
    parameter ROUND = 0,
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
    localparam MICRO = 9 + ADDRESS;
    localparam OUT_BEATS = (OUTPUTS + OUT_LANES - 1) / OUT_LANES;

    logic give, read;
    logic [3:0] down, right;
    logic [ADDRESS-1:0] along;
    logic step;
    logic [MICRO-1:0] micro, next_micro;
    control #(
        .WORDS(PROGRAM), .LEVELS(LEVELS), .REPEAT(REPEAT), .RUN(RUN), .TAKE(TAKE), .INPUTS(1), .LINKS(LINKS), .SECOND(LINKS),
        .SLACK(SLACK), .MICRO(MICRO), .FLAGS({{MICRO - 1{1'b0}}, 1'b1}),
        .STYLE(PROGRAM_STYLE), .IMAGE(IMAGE), .KINDS(KINDS), .LOOPS(LOOPS), .FLOW(FLOW), .START(START)
    ) phases (
        .clk(clk), .reset(reset), .arrived(arrived), .freed(freed), .released(released), .fire(), .give(give),
        .micro(micro), .step(step), .next_micro(next_micro)
    );
    assign {along, right, down, read} = micro;

    logic [LANES*BITS-1:0] word;
    gather #(
        .BITS(LANES * BITS), .ROWS(ROWS), .COLUMNS(COLUMNS), .ROW_WORDS(ROW_WORDS), .BEATS(IN_BEATS), .ADDRESS(ADDRESS), .SPAN(SPAN),
        .FIRST_ROW(FIRST_ROW), .FIRST_COLUMN(FIRST_COLUMN), .FIRST_PLACE(FIRST_PLACE)
    ) fetching (
        .clk(clk), .reset(reset), .step(step), .next_along(next_micro[9+:ADDRESS]), .move(read), .down(down),
        .right(right), .along(along), .read_address(read_address), .read_data(read_data), .words(word)
    );

    logic read_1, given_1, given_2;
    logic [READ-1:0] read_beat;
    logic [BEAT-1:0] beat_1, scale_beat;
    tally #(.COUNT(BEATS), .BITS(READ)) reads (
        .clk(clk), .reset(reset), .happens(read), .happened(read_1), .number(read_beat)
    );
    tally #(.COUNT(OUT_BEATS), .BITS(BEAT)) gives (
        .clk(clk), .reset(reset), .happens(give), .happened(given_1), .number(beat_1)
    );
    assign scale_beat = beat_1;

    logic [OUT_BEATS*OUT_LANES*BITS-1:0] all;
    logic [OUT_LANES*BITS-1:0] chosen;
    genvar b, c;
    generate
        for (b = 0; b < BEATS; b = b + 1) begin : beat
            localparam [31:0] OWN = b;
            logic [LANES*BITS-1:0] kept, now;
            logic fresh;
            assign fresh = read_1 && read_beat == OWN[READ-1:0];
            always_ff @(posedge clk) if (fresh) kept <= word;
            assign now = fresh ? word : kept;
        end
        for (c = 0; c < OUT_BEATS * OUT_LANES; c = c + 1) begin : channel
            if (c >= BEFORE && c < BEFORE + KEPT) begin : kept
                localparam FROM = c - BEFORE + OFFSET;
                assign all[c*BITS+:BITS] = beat[FROM/LANES].now[(FROM%LANES)*BITS+:BITS];
            end else begin : zero
                assign all[c*BITS+:BITS] = ZERO;
            end
        end
    endgenerate
    logic [OUT_LANES*BITS-1:0] share;
    choose #(.N(OUT_BEATS), .WIDTH(OUT_LANES * BITS), .SELECT(BEAT)) of_beats (
        .words(all), .select(beat_1), .word(share)
    );
    always_ff @(posedge clk) chosen <= share;
    always_ff @(posedge clk) given_2 <= given_1;

    generate
        if (ROUND == 0) begin : plain
            assign write = given_2;
            assign write_data = chosen;
        end else begin : activation
            localparam ENTRY = FACTOR + TOTAL;
            logic [OUT_LANES*ENTRY-1:0] scales;
            rom #(.WIDTH(OUT_LANES * ENTRY), .WORDS(OUT_BEATS), .ADDRESS(BEAT), .STYLE(SCALE_STYLE), .IMAGE(SCALES)) scaling (
                .clk(clk), .address(scale_beat), .word(scales)
            );
            delay #(.WIDTH(1), .STAGES(2)) to_write (.clk(clk), .in(given_2), .out(write));
            for (c = 0; c < OUT_LANES; c = c + 1) begin : lane
                requantise #(
                    .ACC(BITS + 1), .FACTOR(FACTOR), .POWERS(POWERS), .TOTAL(TOTAL), .SHIFT(SHIFT), .MODE(MODE),
                    .CLAMP(CLAMP), .LOW(LOW), .HIGH(HIGH), .ZERO(OUT_ZERO), .BITS(OUT_BITS)
                ) round_lane (
                    .clk(clk), .acc({SIGNED != 0 && chosen[c*BITS+BITS-1], chosen[c*BITS+:BITS]}),
                    .factor(scales[c*ENTRY+:FACTOR]), .offset(scales[c*ENTRY+FACTOR+:TOTAL]), .skip(9'd0),
                    .skip_factor(16'd0), .code(write_data[c*OUT_BITS+:OUT_BITS])
                );
            end
        end
    endgenerate
endmodule
