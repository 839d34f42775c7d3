/* What was measured and what it means: a table of figures, a table of goals, or both as JSON. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

static const char *const op_names[BENCH_OP_COUNT] = {"decode", "decode+walk", "encode"};

static const struct figure *figure_at(const struct bench *bench, const struct figure *like, int input) {
    for (int i = 0; i < bench->figure_count; i++) {
        const struct figure *figure = &bench->figures[i];
        if (figure->input == &bench->made[input].input && figure->op == like->op &&
            figure->peer->codec == like->peer->codec && strcmp(figure->peer->name, like->peer->name) == 0)
            return figure;
    }
    return NULL;
}

/* Megabytes of the codec's own bytes; an input that weir cannot write in this codec has none, so its time is shown. */
static void cell_print(const struct figure *figure) {
    if (!figure) {
        printf(" %10s", "-");
        return;
    }
    size_t size = figure->input->bytes[figure->peer->codec].size;
    char text[32];
    if (size == 0)
        snprintf(text, sizeof(text), "%.0f us", figure->ns / 1000);
    else
        snprintf(text, sizeof(text), "%.0f", (double)size / figure->ns * 1000);
    printf(" %10s", text);
}

static int is_first(const struct bench *bench, int index) {
    const struct figure *figure = &bench->figures[index];
    for (int input = 0; input < BENCH_INPUT_COUNT; input++) {
        const struct figure *first = figure_at(bench, figure, input);
        if (first)
            return first == figure;
    }
    return 0;
}

static void figures_print(const struct bench *bench, enum bench_codec codec, enum bench_op op) {
    for (int i = 0; i < bench->figure_count; i++) {
        const struct figure *figure = &bench->figures[i];
        if (figure->peer->codec != codec || figure->op != op || !is_first(bench, i))
            continue;
        printf("%-6s%-12s%-10s", bench_codec_name(codec), op_names[op], figure->peer->name);
        for (int input = 0; input < BENCH_MESSAGE; input++)
            cell_print(figure_at(bench, figure, input));
        const struct figure *message = figure_at(bench, figure, BENCH_MESSAGE);
        printf(" %8.1f ns", message ? message->ns : 0.0);
        printf("%s%s\n", figure->peer->note[0] ? "  " : "", figure->peer->note);
    }
}

static void libraries_print(const struct bench *bench) {
    for (int i = 0; i < bench->library_count; i++) {
        const struct library *library = &bench->libraries[i];
        if (library->reason[0])
            printf("%-10s not measured: %s\n", library->name, library->reason);
        else
            printf("%-10s %s\n", library->name, library->version);
    }
}

static void sizes_print(const struct bench *bench) {
    printf("\n%-28s", "bytes, as weir writes them");
    for (int input = 0; input < BENCH_INPUT_COUNT; input++)
        printf(" %10s", bench->made[input].input.name);
    printf("\n");
    for (int codec = 0; codec < BENCH_CODEC_COUNT; codec++) {
        if (!bench->made[0].input.bytes[codec].data)
            continue;
        printf("%-28s", bench_codec_name(codec));
        for (int input = 0; input < BENCH_INPUT_COUNT; input++)
            printf(" %10zu", bench->made[input].input.bytes[codec].size);
        printf("\n");
    }
}

static void verdicts_print(const struct bench *bench) {
    int met = 0, measured = 0;
    printf("\n%-32s %-20s %-30s %7s %7s\n", "goal", "against", "weir against it", "ratio", "wanted");
    for (int i = 0; i < bench->verdict_count; i++) {
        const struct verdict *verdict = &bench->verdicts[i];
        if (!verdict->is_measured) {
            printf("%-32s %-20s %-30s %7s %7.2f\n", verdict->what, verdict->against, verdict->figures, "-",
                   verdict->goal);
            continue;
        }
        int is_met = verdict->ratio >= verdict->goal;
        printf("%-32s %-20s %-30s %7.2f %7.2f  %s\n", verdict->what, verdict->against, verdict->figures, verdict->ratio,
               verdict->goal, is_met ? "met" : "MISSED");
        met += is_met;
        measured++;
    }
    printf("%d of %d goals met; %d not measured\n", met, measured, bench->verdict_count - measured);
}

void bench_report(const struct bench *bench) {
    libraries_print(bench);
    sizes_print(bench);
    printf("\n%-28s", "MB/s");
    for (int input = 0; input < BENCH_INPUT_COUNT; input++)
        printf(" %10s", bench->made[input].input.name);
    printf("\n");
    for (int codec = 0; codec < BENCH_CODEC_COUNT; codec++)
        for (int op = 0; op < BENCH_OP_COUNT; op++)
            figures_print(bench, codec, op);
    verdicts_print(bench);
}

/* Names and reasons are plain text of ours, but a reason may hold a loader's quotes. */
static void text_print(const char *text) {
    putchar('"');
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text >= ' ')
            putchar(*text);
    putchar('"');
}

void bench_report_json(const struct bench *bench) {
    printf("{\"rounds\":%d,\"libraries\":[", bench->rounds);
    for (int i = 0; i < bench->library_count; i++) {
        const struct library *library = &bench->libraries[i];
        printf("%s{\"name\":", i ? "," : "");
        text_print(library->name);
        printf(library->reason[0] ? ",\"absent\":" : ",\"version\":");
        text_print(library->reason[0] ? library->reason : library->version);
        printf("}");
    }
    printf("],\"figures\":[");
    for (int i = 0; i < bench->figure_count; i++) {
        const struct figure *figure = &bench->figures[i];
        printf("%s{\"codec\":\"%s\",\"operation\":\"%s\",\"input\":\"%s\",\"bytes\":%zu,\"peer\":\"%s\",\"ns\":%.1f}",
               i ? "," : "", bench_codec_name(figure->peer->codec), op_names[figure->op], figure->input->name,
               figure->input->bytes[figure->peer->codec].size, figure->peer->name, figure->ns);
    }
    printf("],\"goals\":[");
    for (int i = 0; i < bench->verdict_count; i++) {
        const struct verdict *verdict = &bench->verdicts[i];
        printf("%s{\"goal\":", i ? "," : "");
        text_print(verdict->what);
        printf(",\"against\":");
        text_print(verdict->against);
        printf(",\"figures\":");
        text_print(verdict->figures);
        if (verdict->is_measured)
            printf(",\"ratio\":%.3f", verdict->ratio);
        printf(",\"wanted\":%.3f}", verdict->goal);
    }
    printf("]}\n");
}
