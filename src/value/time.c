/* Times as text, RFC 3339 in UTC: 2013-03-21T20:04:00.25Z. One spelling per time: 'T' and 'Z' in capitals, no fraction
 * when it is zero, no zeros at its end. What is spelt otherwise (an offset, more digits) is not read, so that nothing
 * is lost by it. */
#include "value/value.h"

#include <string.h>

enum { DAYS_PER_ERA = 146097, DAYS_TO_EPOCH = 719468, SECONDS_PER_DAY = 86400 };

struct date {
    int64_t year;
    int month;
    int day;
};

/* Days since 1970-01-01 to a date, and back. Years are counted from March, so that the leap day is the last of the
 * year, and in eras of 400 years, which all have the same number of days. */
static struct date date_of_days(int64_t days) {
    days += DAYS_TO_EPOCH;
    int64_t era = (days >= 0 ? days : days - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t of_era = days - era * DAYS_PER_ERA;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    struct date date = {.year = year + era * 400, .day = (int)(of_year - (153 * month + 2) / 5 + 1)};
    date.month = (int)(month < 10 ? month + 3 : month - 9);
    date.year += date.month <= 2;
    return date;
}

static int64_t days_of_date(const struct date *date) {
    int64_t year = date->year - (date->month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (date->month + (date->month > 2 ? -3 : 9)) + 2) / 5 + date->day - 1;
    return era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_EPOCH;
}

void weir_time_split(int64_t ns, int64_t *ret_seconds, uint32_t *ret_ns) {
    int64_t seconds = ns / WEIR_NS_PER_S;
    int64_t rest = ns % WEIR_NS_PER_S;
    *ret_seconds = rest < 0 ? seconds - 1 : seconds;
    *ret_ns = (uint32_t)(rest < 0 ? rest + WEIR_NS_PER_S : rest);
}

int weir_time_join(int64_t seconds, uint32_t ns, int64_t *ret) {
    int64_t rest = ns;
    int64_t whole = seconds;
    int64_t time;
    if (whole < 0) { /* towards zero, so that the earliest times do not overflow on the way */
        whole++;
        rest -= WEIR_NS_PER_S;
    }
    if (__builtin_mul_overflow(whole, WEIR_NS_PER_S, &time) || __builtin_add_overflow(time, rest, &time))
        return WEIR_EINVAL;
    *ret = time;
    return WEIR_OK;
}

/* @count digits and what stands behind them. Return: what follows. */
static char *put_digits(char *to, uint32_t number, int count, char behind) {
    for (int i = count; i-- > 0; number /= 10)
        to[i] = (char)('0' + number % 10);
    to[count] = behind;
    return to + count + 1;
}

/* By hand, as printf would take most of the time that a message with a time in it takes. The year has four digits:
 * what 64 bits of nanoseconds say is between 1677 and 2262. */
size_t weir_time_write(char *text, int64_t ns) {
    int64_t seconds;
    uint32_t rest;
    weir_time_split(ns, &seconds, &rest);
    int64_t days = seconds / SECONDS_PER_DAY;
    int of_day = (int)(seconds % SECONDS_PER_DAY);
    if (of_day < 0) {
        of_day += SECONDS_PER_DAY;
        days--;
    }
    struct date date = date_of_days(days);
    char *to = put_digits(text, (uint32_t)date.year, 4, '-');
    to = put_digits(to, (uint32_t)date.month, 2, '-');
    to = put_digits(to, (uint32_t)date.day, 2, 'T');
    to = put_digits(to, (uint32_t)(of_day / 3600), 2, ':');
    to = put_digits(to, (uint32_t)(of_day / 60 % 60), 2, ':');
    to = put_digits(to, (uint32_t)(of_day % 60), 2, 'Z');
    if (rest > 0) {
        to[-1] = '.';
        to = put_digits(to, rest, 9, 'Z');
        while (to[-2] == '0')
            to--;
        to[-1] = 'Z';
    }
    *to = '\0';
    return (size_t)(to - text);
}

/* @count digits as a number; -1 when one is none. */
static int digits(const char *text, int count) {
    int number = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

/* The nine digits of a fraction ".25", written out. */
static int64_t fraction(const char *text, size_t size) {
    int64_t ns = 0;
    for (size_t i = 1; i <= 9; i++) {
        int digit = i < size ? digits(text + i, 1) : 0;
        if (digit < 0)
            return -1;
        ns = ns * 10 + digit;
    }
    return ns;
}

int weir_time_read(const char *text, size_t size, int64_t *ret) {
    char written[WEIR_TIME_TEXT_MAX];
    int64_t ns = 0;
    int64_t time;
    if (size < 20 || size >= WEIR_TIME_TEXT_MAX)
        return WEIR_EINVAL;
    struct date date = {digits(text, 4), digits(text + 5, 2), digits(text + 8, 2)};
    int64_t of_day = digits(text + 11, 2) * 3600 + digits(text + 14, 2) * 60 + digits(text + 17, 2);
    if (size > 20)
        ns = fraction(text + 19, size - 20);
    if (date.year < 0 || date.month < 1 || date.day < 1 || ns < 0)
        return WEIR_EINVAL;
    if (weir_time_join(days_of_date(&date) * SECONDS_PER_DAY + of_day, (uint32_t)ns, &time) != WEIR_OK)
        return WEIR_EINVAL;
    /* Whatever the text did wrong, it is not what the time is written as. */
    if (weir_time_write(written, time) != size || memcmp(written, text, size) != 0)
        return WEIR_EINVAL;
    *ret = time;
    return WEIR_OK;
}
