/* What was measured and what it means: figures by scenario, weir's own, and the table of goals; or all of it as
 * JSON. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

/* The form that ratios of this scenario are against: the first bare one that took part. */
static const struct figure *bare_of(const struct bench *bench, int scenario) {
    for (int i = 0; i < bench->entry_count; i++)
        if (strncmp(bench->entries[i].name, "bare", 4) == 0 && bench->entries[i].figures[scenario].count)
            return &bench->entries[i].figures[scenario];
    return NULL;
}

static int has_figures(const struct bench *bench, int scenario) {
    for (int i = 0; i < bench->entry_count; i++)
        if (bench->entries[i].figures[scenario].count)
            return 1;
    return 0;
}

static void scenario_print(const struct bench *bench, int scenario) {
    int is_trip = scenarios[scenario].is_trip;
    const struct figure *bare = bare_of(bench, scenario);
    printf("\n%-30s", scenarios[scenario].name);
    if (is_trip)
        printf("%12s %10s %10s", "median us", "p99", "p99.9");
    else
        printf("%12s %10s", "messages/s", "MB/s");
    printf("%12s\n", bare ? "x bare" : "");
    for (int i = 0; i < bench->entry_count; i++) {
        const struct figure *figure = &bench->entries[i].figures[scenario];
        if (figure->count == 0)
            continue;
        if (is_trip)
            printf("  %-28s%12.2f %10.2f %10.2f", bench->entries[i].name, figure->median, figure->median_p99,
                   figure->median_p999);
        else
            printf("  %-28s%12.0f %10.0f", bench->entries[i].name, figure->median,
                   figure->median * (double)scenarios[scenario].size / 1e6);
        if (bare)
            printf("%12.2f", figure->median / bare->median);
        printf("\n");
    }
}

static void verdicts_print(const struct bench *bench) {
    int met = 0, measured = 0;
    printf("\n%-32s %-18s %-10s %-28s %7s %7s\n", "goal", "against", "", "weir : it", "ratio", "wanted");
    for (int i = 0; i < bench->verdict_count; i++) {
        const struct verdict *verdict = &bench->verdicts[i];
        printf("%-32s %-18s %-10s %-28s ", verdict->what, verdict->against, verdict->note, verdict->figures);
        if (!verdict->is_measured) {
            printf("%7s %7.2f\n", "-", verdict->wanted);
            continue;
        }
        int is_met = verdict->ratio >= verdict->wanted;
        printf("%7.2f %7.2f  %s\n", verdict->ratio, verdict->wanted, is_met ? "met" : "MISSED");
        met += is_met;
        measured++;
    }
    printf("%d of %d goals met; %d not measured\n", met, measured, bench->verdict_count - measured);
}

void bench_report(const struct bench *bench) {
    for (int i = 0; i < bench->entry_count; i++)
        if (bench->entries[i].reason[0])
            printf("%s not measured: %s\n", bench->entries[i].name, bench->entries[i].reason);
    for (int scenario = 0; scenario < SCENARIO_COUNT; scenario++)
        if (has_figures(bench, scenario))
            scenario_print(bench, scenario);
    if (bench->extra_count)
        printf("\nwithout partners\n");
    for (int i = 0; i < bench->extra_count; i++)
        printf("  %-48s%12.2f %s\n", bench->extras[i].name, bench->extras[i].median, bench->extras[i].unit);
    verdicts_print(bench);
}

void bench_report_json(const struct bench *bench) {
    const char *comma = "";
    printf("{\"v\":1,\"rounds\":%d,\"figures\":[", bench->rounds);
    for (int s = 0; s < SCENARIO_COUNT; s++)
        for (int i = 0; i < bench->entry_count; i++) {
            const struct figure *figure = &bench->entries[i].figures[s];
            if (figure->count == 0)
                continue;
            printf("%s{\"scenario\":\"%s\",\"mechanism\":\"%s\",\"bytes\":%zu,", comma, scenarios[s].name,
                   bench->entries[i].name, scenarios[s].size);
            if (scenarios[s].is_trip)
                printf("\"us\":%.3f,\"p99_us\":%.3f,\"p999_us\":%.3f}", figure->median, figure->median_p99,
                       figure->median_p999);
            else
                printf("\"per_second\":%.0f}", figure->median);
            comma = ",";
        }
    printf("],\"absent\":[");
    comma = "";
    for (int i = 0; i < bench->entry_count; i++)
        if (bench->entries[i].reason[0]) {
            printf("%s{\"mechanism\":\"%s\",\"why\":\"%s\"}", comma, bench->entries[i].name, bench->entries[i].reason);
            comma = ",";
        }
    printf("],\"alone\":[");
    for (int i = 0; i < bench->extra_count; i++)
        printf("%s{\"what\":\"%s\",\"value\":%.3f,\"unit\":\"%s\"}", i ? "," : "", bench->extras[i].name,
               bench->extras[i].median, bench->extras[i].unit);
    printf("],\"goals\":[");
    for (int i = 0; i < bench->verdict_count; i++) {
        const struct verdict *verdict = &bench->verdicts[i];
        printf("%s{\"goal\":\"%s\",\"against\":\"%s\",\"figures\":\"%s\"", i ? "," : "", verdict->what,
               verdict->against, verdict->figures);
        if (verdict->is_measured)
            printf(",\"ratio\":%.3f", verdict->ratio);
        printf(",\"wanted\":%.3f}", verdict->wanted);
    }
    printf("]}\n");
}
