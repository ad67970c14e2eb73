// The frames' way in: an AXI4-Stream pin with two places behind it, and the actor that gives their beats. No register
// lies between a phase's start and the write port: p = 0. A TLAST that is not on a frame's last beat is remembered.
module source #(
    parameter BITS = 8,
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
    input  logic                clk,
    input  logic                reset,
    input  logic                valid,
    output logic                ready,
    input  logic [BITS-1:0]     data,
    input  logic                last,
    output logic                misplaced,
    input  logic [LINKS*24-1:0] freed,
    output logic                write,
    output logic [BITS-1:0]     write_data
);
    logic [BITS:0] place_0, place_1, chosen;
    logic head, tail, taken, fire, ends;
    logic [1:0] credit;
    logic [23:0] released;

    // The first beat is taken so late that the phase which gives it is the first that any control can fire.
    logic awake;
    assign ready = awake && !reset && credit != 2'd0;
    assign taken = valid && ready;
    assign chosen = tail ? place_1 : place_0;
    assign write_data = chosen[BITS-1:0];

    always_ff @(posedge clk) begin
        if (reset) begin
            head <= 1'b0;
            tail <= 1'b0;
            credit <= 2'd2;
            misplaced <= 1'b0;
            awake <= 1'b0;
        end else begin
            awake <= 1'b1;
            if (taken) head <= !head;
            if (fire) tail <= !tail;
            credit <= credit - {1'b0, taken} + {1'b0, fire};
            if (fire && chosen[BITS] != ends) misplaced <= 1'b1;
        end
        if (taken && !head) place_0 <= {last, data};
        if (taken && head) place_1 <= {last, data};
    end

    control #(
        .WORDS(PROGRAM), .LEVELS(LEVELS), .REPEAT(REPEAT), .RUN(RUN), .TAKE(TAKE), .LINKS(LINKS), .SECOND(LINKS),
        .SLACK(SLACK), .STYLE(PROGRAM_STYLE), .IMAGE(IMAGE), .KINDS(KINDS), .LOOPS(LOOPS), .FLOW(FLOW), .START(START)
    ) phases (
        .clk(clk), .reset(reset), .arrived(taken), .freed(freed), .released(released), .fire(fire), .give(write),
        .micro(ends), .step(), .next_micro()
    );
endmodule
