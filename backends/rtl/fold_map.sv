// A pool over the whole map: the sum (or, where LARGEST, the largest) of each channel's numbers less ZERO, rounded.
//
// Stages of a phase that starts in cycle t: memory t + 1, fold t + 2, beat t + 3, scale t + 4, rounding t + 5.
module fold_map #(
    parameter LARGEST = 0,
    parameter LANES = 1,
    parameter BITS = 8,
    parameter SIGNED = 0,
    parameter CHANNELS = 1,
    parameter BEATS = 1,
    parameter READ = 1,          // bits of a beat's number
    parameter ACC = 16,
    parameter OUT_LANES = 1,
    parameter OUT_BITS = 8,
    parameter BEAT = 1,
    parameter [3:0] FIRST_ROW = 0,
    parameter [3:0] FIRST_COLUMN = 0,
    parameter [ADDRESS-1:0] FIRST_PLACE = 0,
    parameter PARTIAL_STYLE = "auto",
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
    localparam MICRO = 10 + ADDRESS;
    localparam OUT_BEATS = (CHANNELS + OUT_LANES - 1) / OUT_LANES;

    logic give, read, first;
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
    assign {along, right, down, first, read} = micro;

    logic [LANES*BITS-1:0] word;
    gather #(
        .BITS(LANES * BITS), .ROWS(ROWS), .COLUMNS(COLUMNS), .ROW_WORDS(ROW_WORDS), .BEATS(IN_BEATS), .ADDRESS(ADDRESS), .SPAN(SPAN),
        .FIRST_ROW(FIRST_ROW), .FIRST_COLUMN(FIRST_COLUMN), .FIRST_PLACE(FIRST_PLACE)
    ) fetching (
        .clk(clk), .reset(reset), .step(step), .next_along(next_micro[10+:ADDRESS]), .move(read), .down(down),
        .right(right), .along(along), .read_address(read_address), .read_data(read_data), .words(word)
    );

    logic read_1, first_1, given_1;
    logic [READ-1:0] read_beat;
    logic [BEAT-1:0] beat_1, beat_2, scale_beat;
    tally #(.COUNT(BEATS), .BITS(READ)) reads (
        .clk(clk), .reset(reset), .happens(read), .happened(read_1), .number(read_beat)
    );
    tally #(.COUNT(OUT_BEATS), .BITS(BEAT)) gives (
        .clk(clk), .reset(reset), .happens(give), .happened(given_1), .number(beat_1)
    );
    always_ff @(posedge clk) begin
        first_1 <= first;
        beat_2 <= beat_1;
    end
    assign scale_beat = beat_2;
    delay #(.WIDTH(1), .STAGES(4)) to_write (.clk(clk), .in(given_1), .out(write));

    // Beats of the input that a beat of the output is a part of, where it is.
    localparam SHARE = (LANES % OUT_LANES == 0) ? LANES / OUT_LANES : 0;
    localparam IN_MEMORY = SHARE != 0 && (SHARE & (SHARE - 1)) == 0;
    localparam LEFT = (SHARE > 1) ? $clog2(SHARE) : 0;
    logic [BEATS*LANES*ACC-1:0] folded;
    logic [OUT_BEATS*OUT_LANES*ACC-1:0] all;
    logic [OUT_LANES*ACC-1:0] chosen;
    genvar b, c;
    generate
        if (IN_MEMORY) begin : memory
            logic [READ-1:0] given_beat;
            logic [LANES*ACC-1:0] given;
            logic [READ+BEAT-1:0] shifted;
            assign shifted = {{READ{1'b0}}, beat_2} >> LEFT;
            assign given_beat = shifted[READ-1:0];
            for (c = 0; c < LANES; c = c + 1) begin : lane
                (* ram_style = PARTIAL_STYLE *) logic [ACC-1:0] partial[0:BEATS-1];
                logic signed [ACC-1:0] kept, number, result;
                assign number = {{ACC - BITS{SIGNED != 0 && word[c*BITS+BITS-1]}}, word[c*BITS+:BITS]};
                assign kept = partial[read_beat];
                assign result = first_1 ? number
                    : (LARGEST == 0) ? kept + number
                    : (number > kept) ? number : kept;
                always_ff @(posedge clk) if (read_1) partial[read_beat] <= result;
                assign given[c*ACC+:ACC] = partial[given_beat];
            end
            if (SHARE == 1) begin : whole
                always_ff @(posedge clk) chosen <= given;
            end else begin : part
                logic [LEFT-1:0] which;
                assign which = beat_2[LEFT-1:0];
                logic [OUT_LANES*ACC-1:0] share;
                choose #(.N(SHARE), .WIDTH(OUT_LANES * ACC), .SELECT(LEFT)) of_beat (
                    .words(given), .select(which), .word(share)
                );
                always_ff @(posedge clk) chosen <= share;
            end
        end else begin : registers
            for (b = 0; b < BEATS; b = b + 1) begin : beat
                localparam [31:0] OWN = b;
                for (c = 0; c < LANES; c = c + 1) begin : lane
                    logic signed [ACC-1:0] kept, number;
                    assign number = {{ACC - BITS{SIGNED != 0 && word[c*BITS+BITS-1]}}, word[c*BITS+:BITS]};
                    always_ff @(posedge clk)
                        if (read_1 && read_beat == OWN[READ-1:0]) begin
                            if (first_1) kept <= number;
                            else if (LARGEST == 0) kept <= kept + number;
                            else if (number > kept) kept <= number;
                        end
                    assign folded[(b*LANES+c)*ACC+:ACC] = kept;
                end
            end
            for (c = 0; c < OUT_BEATS * OUT_LANES; c = c + 1) begin : channel
                if (c < CHANNELS) begin : used
                    assign all[c*ACC+:ACC] = folded[c*ACC+:ACC];
                end else begin : filler
                    assign all[c*ACC+:ACC] = {ACC{1'b0}};
                end
            end
            logic [OUT_LANES*ACC-1:0] share;
            choose #(.N(OUT_BEATS), .WIDTH(OUT_LANES * ACC), .SELECT(BEAT)) of_beats (
                .words(all), .select(beat_2), .word(share)
            );
            always_ff @(posedge clk) chosen <= share;
        end
    endgenerate

    localparam ENTRY = FACTOR + TOTAL;
    logic [OUT_LANES*ENTRY-1:0] scales;
    rom #(.WIDTH(OUT_LANES * ENTRY), .WORDS(OUT_BEATS), .ADDRESS(BEAT), .STYLE(SCALE_STYLE), .IMAGE(SCALES)) scaling (
        .clk(clk), .address(scale_beat), .word(scales)
    );
    genvar r;
    generate
        for (r = 0; r < OUT_LANES; r = r + 1) begin : rounding
            requantise #(
                .ACC(ACC), .FACTOR(FACTOR), .POWERS(POWERS), .TOTAL(TOTAL), .SHIFT(SHIFT), .MODE(MODE), .CLAMP(CLAMP),
                .LOW(LOW), .HIGH(HIGH), .ZERO(OUT_ZERO), .BITS(OUT_BITS)
            ) round_lane (
                .clk(clk), .acc(chosen[r*ACC+:ACC]), .factor(scales[r*ENTRY+:FACTOR]),
                .offset(scales[r*ENTRY+FACTOR+:TOTAL]), .skip(9'd0), .skip_factor(16'd0),
                .code(write_data[r*OUT_BITS+:OUT_BITS])
            );
        end
    endgenerate
endmodule
