// A sum of two streams in the same lanes, rounded; input 1 may lack channels.
//
// Stages of a phase that starts in cycle t: memory t + 1, scale t + 2, sum t + 3, rounding t + 4.
module sum #(
    parameter LANES = 1,
    parameter BITS = 8,          // of a number of input 0
    parameter SIGNED = 0,
    parameter SKIP = 8,          // of a number of input 1
    parameter SKIP_SIGNED = 0,
    parameter OUTPUTS = 1,
    parameter OUT_BITS = 8,
    parameter BEAT = 1,
    parameter WIDTH = 1,
    parameter SKIP_FACTOR = 1,
    parameter SKIP_POWERS = 0,
    parameter SKIP_ROWS = 1,
    parameter SKIP_COLUMNS = 1,
    parameter SKIP_WIDTH = 1,
    parameter SKIP_BEATS = 1,
    parameter SKIP_ROW_WORDS = 1,
    parameter SKIP_ADDRESS = 1,
    parameter SKIP_SPAN = 2,
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
    input  logic [1:0]                      arrived,
    input  logic [LINKS*24-1:0]             freed,
    output logic [47:0]                     released,
    output logic [ROWS*COLUMNS*ADDRESS-1:0] read_address,
    input  logic [ROWS*COLUMNS*LANES*BITS-1:0] read_data,
    output logic [SKIP_ROWS*SKIP_COLUMNS*SKIP_ADDRESS-1:0] skip_address,
    input  logic [SKIP_ROWS*SKIP_COLUMNS*LANES*SKIP-1:0] skip_data,
    output logic                            write,
    output logic [LANES*OUT_BITS-1:0]       write_data
);
    localparam MICRO = 2;
    localparam OUT_BEATS = (OUTPUTS + LANES - 1) / LANES;

    logic give, read, take;
    logic [MICRO-1:0] micro;
    control #(
        .WORDS(PROGRAM), .LEVELS(LEVELS), .REPEAT(REPEAT), .RUN(RUN), .TAKE(TAKE), .INPUTS(2), .LINKS(LINKS), .SECOND(LINKS),
        .SLACK(SLACK), .MICRO(MICRO), .STYLE(PROGRAM_STYLE), .IMAGE(IMAGE), .KINDS(KINDS), .LOOPS(LOOPS), .FLOW(FLOW), .START(START)
    ) phases (
        .clk(clk), .reset(reset), .arrived(arrived), .freed(freed), .released(released), .fire(), .give(give),
        .micro(micro), .step(), .next_micro()
    );
    assign {take, read} = micro;

    logic [LANES*BITS-1:0] word;
    logic [LANES*SKIP-1:0] skip;
    taking #(
        .BITS(LANES * BITS), .ROWS(ROWS), .COLUMNS(COLUMNS), .WIDTH(WIDTH), .BEATS(IN_BEATS), .ROW_WORDS(ROW_WORDS),
        .ADDRESS(ADDRESS), .SPAN(SPAN)
    ) reading (
        .clk(clk), .reset(reset), .take(read), .read_address(read_address), .read_data(read_data), .beat(word)
    );
    taking #(
        .BITS(LANES * SKIP), .ROWS(SKIP_ROWS), .COLUMNS(SKIP_COLUMNS), .WIDTH(SKIP_WIDTH), .BEATS(SKIP_BEATS),
        .ROW_WORDS(SKIP_ROW_WORDS), .ADDRESS(SKIP_ADDRESS), .SPAN(SKIP_SPAN)
    ) skips (
        .clk(clk), .reset(reset), .take(take), .read_address(skip_address), .read_data(skip_data), .beat(skip)
    );
    // The beat's number is needed with its address, in t: it is counted ahead.
    logic [BEAT-1:0] scale_beat;
    localparam [31:0] LAST = OUT_BEATS - 1;
    always_ff @(posedge clk)
        if (reset) scale_beat <= {BEAT{1'b0}};
        else if (give) scale_beat <= (scale_beat == LAST[BEAT-1:0]) ? {BEAT{1'b0}} : scale_beat + 1'b1;
    delay #(.WIDTH(1), .STAGES(4)) to_write (.clk(clk), .in(give), .out(write));

    localparam ENTRY = FACTOR + SKIP_FACTOR + TOTAL;
    logic [LANES*ENTRY-1:0] scales;
    rom #(.WIDTH(LANES * ENTRY), .WORDS(OUT_BEATS), .ADDRESS(BEAT), .STYLE(SCALE_STYLE), .IMAGE(SCALES)) scaling (
        .clk(clk), .address(scale_beat), .word(scales)
    );
    genvar r;
    generate
        for (r = 0; r < LANES; r = r + 1) begin : lane
            requantise #(
                .ACC(BITS + 1), .FACTOR(FACTOR), .POWERS(POWERS), .TOTAL(TOTAL), .SHIFT(SHIFT), .MODE(MODE),
                .CLAMP(CLAMP), .LOW(LOW), .HIGH(HIGH), .ZERO(OUT_ZERO), .BITS(OUT_BITS), .ADD(1), .SKIP(SKIP + 1),
                .SKIP_FACTOR(SKIP_FACTOR), .SKIP_POWERS(SKIP_POWERS)
            ) round_lane (
                .clk(clk), .acc({SIGNED != 0 && word[r*BITS+BITS-1], word[r*BITS+:BITS]}),
                .factor(scales[r*ENTRY+:FACTOR]), .offset(scales[r*ENTRY+FACTOR+SKIP_FACTOR+:TOTAL]),
                .skip({SKIP_SIGNED != 0 && skip[r*SKIP+SKIP-1], skip[r*SKIP+:SKIP]}),
                .skip_factor(scales[r*ENTRY+FACTOR+:SKIP_FACTOR]), .code(write_data[r*OUT_BITS+:OUT_BITS])
            );
        end
    endgenerate
endmodule
