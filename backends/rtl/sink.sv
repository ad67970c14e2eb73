// The frames' way out: the actor that takes the beats, and an AXI4-Stream pin with four places before it. A beat is
// offered two cycles after its phase's start.
module sink #(
    parameter BITS = 8,
    parameter ROWS = 1,
    parameter COLUMNS = 1,
    parameter WIDTH = 1,
    parameter IN_BEATS = 1,
    parameter ROW_WORDS = 1,
    parameter ADDRESS = 1,
    parameter SPAN = 2,          // words of a bank of it
    parameter PROGRAM = 1,
    parameter LEVELS = 1,
    parameter REPEAT = 1,
    parameter RUN = 1,
    parameter TAKE = 1,
    parameter SLACK = 8,
    parameter PLACES_STYLE = "auto",
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
    output logic [23:0]                     released,
    output logic [ROWS*COLUMNS*ADDRESS-1:0] read_address,
    input  logic [ROWS*COLUMNS*BITS-1:0]    read_data,
    output logic                            valid,
    input  logic                            ready,
    output logic [BITS-1:0]                 data,
    output logic                            last
);
    (* ram_style = PLACES_STYLE *) logic [BITS:0] places[0:3];
    logic [BITS-1:0] beat;
    logic [1:0] head, tail;
    logic [2:0] held;
    logic fire, give, given, gone, ends, ended;

    assign valid = held != 3'd0;
    assign gone = valid && ready;
    assign {last, data} = places[tail];

    always_ff @(posedge clk) begin
        ended <= ends;
        if (reset) begin
            head <= 2'd0;
            tail <= 2'd0;
            held <= 3'd0;
            given <= 1'b0;
        end else begin
            given <= give;
            if (given) head <= head + 2'd1;
            if (gone) tail <= tail + 2'd1;
            held <= held + {2'b0, given} - {2'b0, gone};
        end
        if (given) places[head] <= {ended, beat};
    end

    taking #(
        .BITS(BITS), .ROWS(ROWS), .COLUMNS(COLUMNS), .WIDTH(WIDTH), .BEATS(IN_BEATS), .ROW_WORDS(ROW_WORDS),
        .ADDRESS(ADDRESS), .SPAN(SPAN)
    ) reading (
        .clk(clk), .reset(reset), .take(fire), .read_address(read_address), .read_data(read_data), .beat(beat)
    );
    control #(
        .WORDS(PROGRAM), .LEVELS(LEVELS), .REPEAT(REPEAT), .RUN(RUN), .TAKE(TAKE), .SLACK(SLACK), .STYLE(PROGRAM_STYLE), .IMAGE(IMAGE),
        .KINDS(KINDS), .LOOPS(LOOPS), .FLOW(FLOW), .START(START)
    ) phases (
        .clk(clk), .reset(reset), .arrived(arrived), .freed({23'd0, gone}), .released(released), .fire(fire),
        .give(give), .micro(ends), .step(), .next_micro()
    );
endmodule
