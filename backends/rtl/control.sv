// The control of every actor: runs its program, one phase a clock at the most.
//
// A phase fires in the first cycle in which every input has the beats that it needs and every link that it gives to
// has a place. A link is one reader of one channel; links from SECOND on hang on output 1, the others on output 0.
//
// The program is a list of words, each a phase that is repeated `run` times more, in nested loops: the flow of a word
// says, for each level from the innermost, whether it ends a pass of that level's loop, and how many passes follow the
// first. What ends a loop ends a pass of all loops inside of it. Behind the last word the next frame begins.
//
// Each input and link has a counter of what it has beyond the phase to come: that phase may fire where none is negative,
// so fire hangs on sign bits alone. Words are read two ahead.
//
// A word, low bits first: need of each input, free of each input, give of each output, micro, run.
module control #(
    parameter WORDS = 1,
    parameter LEVELS = 1,
    parameter REPEAT = 1,   // bits of a count of passes
    parameter RUN = 1,      // bits of a count of repetitions
    parameter TAKE = 1,     // bits of a need or free
    parameter INPUTS = 1,
    parameter OUTPUTS = 1,
    parameter LINKS = 1,
    parameter SECOND = 1,
    parameter SLACK = 8,
    parameter MICRO = 1,
    parameter [MICRO-1:0] FLAGS = {MICRO{1'b1}},  // bits of the micro word that are zero where no phase fires
    parameter STYLE = "auto",  // what synthesis makes the words of
    parameter IMAGE = "program.hex",
    parameter FLOW = "flow.hex",
    parameter START = "start.hex"  // what each input and then each link has before the first phase
) (
    input  logic                 clk,
    input  logic                 reset,
    input  logic [INPUTS-1:0]    arrived,   // a beat is written in this cycle
    input  logic [LINKS*24-1:0]  freed,     // places that each link's reader releases in this cycle
    output logic [INPUTS*24-1:0] released,  // places that this actor releases in this cycle
    output logic                 fire,
    output logic [OUTPUTS-1:0]   give,
    output logic [MICRO-1:0]     micro      // of the phase that fires, or is to come
);
    localparam WORD = 2 * INPUTS * TAKE + OUTPUTS + MICRO + RUN;
    localparam GIVE = 2 * INPUTS * TAKE;
    localparam PC = (WORDS > 1) ? $clog2(WORDS) : 1;
    localparam [31:0] END = WORDS - 1;
    localparam COUNTERS = INPUTS + LINKS;

    (* rom_style = STYLE *) logic [WORD-1:0] words[0:WORDS-1];
    (* rom_style = "logic" *) logic [LEVELS*(REPEAT+1)-1:0] flows[0:WORDS-1];
    (* rom_style = "logic" *) logic [SLACK-1:0] starts[0:COUNTERS-1];
    initial begin
        $readmemh(IMAGE, words);
        $readmemh(FLOW, flows);
        $readmemh(START, starts);
    end

    // The program counter and its loops.
    logic [PC-1:0] pc, next;
    logic [LEVELS*PC-1:0] begins, begins_next;
    logic [LEVELS*REPEAT-1:0] passes, passes_next;
    logic [LEVELS*(REPEAT+1)-1:0] flow;
    logic [LEVELS-1:0] ends;  // a level's pass ends, and its loop does not begin anew
    logic [REPEAT-1:0] wanted, passed;
    logic again, step;
    assign flow = flows[pc];

    integer k;
    always_comb begin
        next = (pc == END[PC-1:0]) ? {PC{1'b0}} : pc + 1'b1;
        again = 1'b0;
        ends = {LEVELS{1'b0}};
        passes_next = passes;
        begins_next = begins;
        for (k = 0; k < LEVELS; k = k + 1) begin
            wanted = flow[k*(REPEAT+1)+1+:REPEAT];
            passed = passes[k*REPEAT+:REPEAT];
            if (flow[k*(REPEAT+1)] && !again) begin
                if (passed == wanted) begin
                    ends[k] = 1'b1;
                    passes_next[k*REPEAT+:REPEAT] = {REPEAT{1'b0}};
                end else begin
                    again = 1'b1;
                    next = begins[k*PC+:PC];
                    passes_next[k*REPEAT+:REPEAT] = passed + 1'b1;
                end
            end
        end
        for (k = 0; k < LEVELS; k = k + 1) if (ends[k]) begins_next[k*PC+:PC] = next;
    end

    logic [WORD-1:0] ahead, word;
    logic [RUN-1:0] left;
    logic final_run;
    logic [1:0] primed;
    assign step = primed != 2'd2 || (fire && final_run);
    always_ff @(posedge clk) begin
        if (reset) begin
            pc <= {PC{1'b0}};
            begins <= {LEVELS * PC{1'b0}};
            passes <= {LEVELS * REPEAT{1'b0}};
            primed <= 2'd0;
        end else begin
            if (primed != 2'd2) primed <= primed + 2'd1;
            if (step) begin
                pc <= next;
                begins <= begins_next;
                passes <= passes_next;
            end
        end
        if (step) begin
            ahead <= words[pc];
            word <= ahead;
            left <= ahead[WORD-1-:RUN];
            final_run <= ahead[WORD-1-:RUN] == {RUN{1'b0}};
        end else if (fire) begin
            left <= left - 1'b1;
            final_run <= left == {{RUN - 1{1'b0}}, 1'b1};
        end
    end

    // What the phase to come takes and gives, once this one has fired.
    logic [GIVE+OUTPUTS-1:0] upcoming;
    assign upcoming = final_run ? ahead[GIVE+OUTPUTS-1:0] : word[GIVE+OUTPUTS-1:0];

    logic [COUNTERS-1:0] short_of /* verilator public_flat_rd */;
    logic [COUNTERS*SLACK-1:0] slacks /* verilator public_flat_rd */;
    logic fires /* verilator public_flat_rd */;
    assign fires = primed == 2'd2 && !reset && !(|short_of);
    assign fire = fires;
    assign micro = word[GIVE+OUTPUTS+:MICRO] & ({MICRO{fire}} | ~FLAGS);
    assign give = fire ? word[GIVE+:OUTPUTS] : {OUTPUTS{1'b0}};

    genvar i;
    generate
        for (i = 0; i < COUNTERS; i = i + 1) begin : counter
            logic [SLACK-1:0] slack, more, less;
            if (i < INPUTS) begin : input_side
                assign more = {{SLACK - 1{1'b0}}, arrived[i]};
                assign less = {{SLACK - TAKE{1'b0}}, upcoming[i*TAKE+:TAKE]};
                assign released[i*24+:24] = {{24 - TAKE{1'b0}}, fire ? word[(INPUTS+i)*TAKE+:TAKE] : {TAKE{1'b0}}};
            end else begin : output_side
                localparam PORT = (i - INPUTS < SECOND) ? 0 : 1;
                assign more = freed[(i-INPUTS)*24+:SLACK];
                assign less = {{SLACK - 1{1'b0}}, upcoming[GIVE+PORT]};
            end
            always_ff @(posedge clk) begin
                if (reset) slack <= starts[i];
                else slack <= slack + more - (fire ? less : {SLACK{1'b0}});
            end
            assign short_of[i] = slack[SLACK-1];
            assign slacks[i*SLACK+:SLACK] = slack;
        end
    endgenerate
endmodule
