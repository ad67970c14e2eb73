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
// so fire hangs on sign bits alone. Words are read three ahead, and flows two ahead of their word: no memory is read on
// the way from one word to the next.
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
    parameter KINDS = 1,    // of flows
    parameter LOOPS = 0,    // for each kind and level: whether a pass ends, and how many follow the first
    parameter FLOW = "flow.hex",  // the kind of each word
    parameter START = "start.hex"  // what each input and then each link has before the first phase
) (
    input  logic                 clk,
    input  logic                 reset,
    input  logic [INPUTS-1:0]    arrived,   // a beat is written in this cycle
    input  logic [LINKS*24-1:0]  freed,     // places that each link's reader releases in this cycle
    output logic [INPUTS*24-1:0] released,  // places that this actor releases in this cycle
    output logic                 fire,
    output logic [OUTPUTS-1:0]   give,
    output logic [MICRO-1:0]     micro,     // of the phase that fires, or is to come
    output logic                 step,      // the next word takes its place
    output logic [MICRO-1:0]     next_micro // of that one
);
    localparam WORD = 2 * INPUTS * TAKE + OUTPUTS + MICRO + RUN;
    localparam GIVE = 2 * INPUTS * TAKE;
    localparam PC = (WORDS > 1) ? $clog2(WORDS) : 1;
    localparam [31:0] END = WORDS - 1;
    localparam COUNTERS = INPUTS + LINKS;
    localparam FLOWS = LEVELS * (REPEAT + 1);  // bits of what a kind of flow says
    localparam KIND = (KINDS > 1) ? $clog2(KINDS) : 1;

    (* rom_style = STYLE *) logic [WORD-1:0] words[0:WORDS-1];
    (* rom_style = "logic" *) logic [KIND-1:0] flows[0:WORDS-1];
    (* rom_style = "logic" *) logic [SLACK-1:0] starts[0:COUNTERS-1];
    initial begin
        $readmemh(IMAGE, words);
        $readmemh(FLOW, flows);
        $readmemh(START, starts);
    end

    function automatic [PC-1:0] following(input [PC-1:0] from);
        following = (from == END[PC-1:0]) ? {PC{1'b0}} : from + 1'b1;
    endfunction

    // The program counter and its loops. What a loop begins with is kept: its place, its first two flows, and the place
    // of the third; that is kept inverted, since synthesis moves a read in front of the register of its address.
    localparam [31:0] SECOND_WORD = 1 % WORDS;
    localparam [31:0] THIRD_WORD = 2 % WORDS;
    localparam PLACE = 2 * PC + 2 * KIND;
    localparam [PLACE-1:0] INVERTED = {{PC{1'b1}}, {PC + 2 * KIND{1'b0}}};
    localparam [KINDS*FLOWS-1:0] TABLE = LOOPS;
    logic [PC-1:0] third, third_inverted;
    logic [PC-1:0] pc;
    logic [KIND-1:0] kind, kind_behind;
    logic [PLACE-1:0] along, next, first;
    logic [LEVELS*PLACE-1:0] begins;
    logic [FLOWS-1:0] flow;
    logic [LEVELS-1:0] again, ends;  // a level's loop begins anew; its last pass ends
    assign third = ~third_inverted;
    assign along = {following(third), flows[third], kind_behind, following(pc)};
    assign first = {THIRD_WORD[PC-1:0], flows[SECOND_WORD], flows[0], {PC{1'b0}}};
    choose #(.N(KINDS), .WIDTH(FLOWS), .SELECT(KIND)) of_kind (.words(TABLE), .select(kind), .word(flow));

    integer k;
    always_comb begin
        next = (|again) ? {PLACE{1'b0}} : along;
        for (k = 0; k < LEVELS; k = k + 1) next = next | (begins[k*PLACE+:PLACE] & {PLACE{again[k]}});
    end
    genvar level;
    generate
        for (level = 0; level < LEVELS; level = level + 1) begin : loops
            localparam AT = level * (REPEAT + 1);
            logic [REPEAT-1:0] passed, wanted;
            logic inner, anew;  // a loop inside begins anew; one inside or this one
            logic last;         // of several passes
            if (level == 0) begin : innermost
                assign inner = 1'b0;
            end else begin : outer
                assign inner = loops[level-1].anew;
            end
            assign wanted = flow[AT+1+:REPEAT];
            assign anew = inner || again[level];
            assign again[level] = flow[AT] && wanted != {REPEAT{1'b0}} && !last && !inner;
            assign ends[level] = flow[AT] && (wanted == {REPEAT{1'b0}} || last) && !inner;
            always_ff @(posedge clk) begin
                if (reset || (step && ends[level])) begin
                    passed <= {REPEAT{1'b0}};
                    last <= 1'b0;
                end else if (step && again[level]) begin
                    passed <= passed + 1'b1;
                    last <= passed + 1'b1 == wanted;
                end
                if (reset) begins[level*PLACE+:PLACE] <= first;
                else if (step && ends[level]) begins[level*PLACE+:PLACE] <= next;
            end
        end
    endgenerate

    // The word two behind: a block RAM's read is slow and gets a register of its own, else the place has one.
    /* verilator lint_off WIDTH */
    localparam SLOW = STYLE == "block" || STYLE == "ultra";
    /* verilator lint_on WIDTH */
    logic [WORD-1:0] far, ahead, word;
    generate
        if (SLOW) begin : behind
            logic [WORD-1:0] read;
            always_ff @(posedge clk) if (step) read <= words[pc];
            assign far = read;
        end else begin : in_front
            logic [PC-1:0] pc_behind;
            always_ff @(posedge clk) if (step) pc_behind <= pc;
            assign far = words[pc_behind];
        end
    endgenerate
    logic [RUN-1:0] left;
    logic final_run;
    logic [1:0] primed;
    assign step = primed != 2'd3 || (fire && final_run);
    assign next_micro = ahead[GIVE+OUTPUTS+:MICRO];
    always_ff @(posedge clk) begin
        if (reset) begin
            {third_inverted, kind_behind, kind, pc} <= first ^ INVERTED;
            primed <= 2'd0;
        end else begin
            if (primed != 2'd3) primed <= primed + 2'd1;
            if (step) {third_inverted, kind_behind, kind, pc} <= next ^ INVERTED;
        end
        if (step) begin
            ahead <= far;
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
    assign fires = primed == 2'd3 && !reset && !(|short_of);
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
