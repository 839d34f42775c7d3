/* Times as text, RFC 3339: 2013-03-21T20:04:00.25Z. Written in one spelling: in UTC, 'T' and 'Z' in capitals, no
 * fraction when it is zero, no zeros at its end. Read in all that say a time which nanoseconds in int64 say: with an
 * offset, small letters, up to nine digits of a fraction. A leap second is none of these. */
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

/* The fraction ".25" at @text in nanoseconds, none for anything else. *ret_size: its bytes. Return: -1 when it has no
 * digits, or more than nine. */
static int64_t fraction(const char *text, const char *end, size_t *ret_size) {
    int64_t ns = 0;
    size_t size = 1;
    *ret_size = 0;
    if (text == end || *text != '.')
        return 0;
    for (; text + size < end && digits(text + size, 1) >= 0; size++)
        ns = size > 9 ? 0 : ns * 10 + digits(text + size, 1);
    *ret_size = size;
    if (size < 2 || size > 10)
        return -1;
    for (size_t i = size; i <= 9; i++)
        ns *= 10;
    return ns;
}

/* Seconds east of Greenwich: "Z", "+01:30". Return: 0 when it is none. */
static int offset(const char *text, size_t size, int64_t *ret) {
    *ret = 0;
    if (size == 1)
        return *text == 'Z' || *text == 'z';
    if (size != 6 || (*text != '+' && *text != '-') || text[3] != ':')
        return 0;
    int hours = digits(text + 1, 2), minutes = digits(text + 4, 2);
    *ret = (hours * 3600 + minutes * 60) * (*text == '-' ? -1 : 1);
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

/* Days of the month, by its successor's first. */
static int days_in(struct date date) {
    struct date next = {date.year + (date.month == 12), date.month % 12 + 1, 1};
    date.day = 1;
    return (int)(days_of_date(&next) - days_of_date(&date));
}

int weir_time_read(const char *text, size_t size, int64_t *ret) {
    enum { WHOLE = 19 }; /* bytes up to the seconds */
    if (size < WHOLE + 1 || text[4] != '-' || text[7] != '-' || (text[10] | 0x20) != 't' || text[13] != ':' ||
        text[16] != ':')
        return WEIR_EINVAL;
    struct date date = {digits(text, 4), digits(text + 5, 2), digits(text + 8, 2)};
    int hour = digits(text + 11, 2), minute = digits(text + 14, 2), second = digits(text + 17, 2);
    if (date.year < 0 || date.month < 1 || date.month > 12 || date.day < 1 || date.day > days_in(date) || hour < 0 ||
        hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return WEIR_EINVAL;
    size_t fraction_size;
    int64_t ns = fraction(text + WHOLE, text + size, &fraction_size), east;
    if (ns < 0 || !offset(text + WHOLE + fraction_size, size - WHOLE - fraction_size, &east))
        return WEIR_EINVAL;
    int64_t seconds = days_of_date(&date) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - east;
    return weir_time_join(seconds, (uint32_t)ns, ret);
}
