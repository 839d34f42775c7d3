/* What kernels.f90 offers to C++. The comments there say what each procedure promises. */
#ifndef TELEMETRY_KERNELS_HPP
#define TELEMETRY_KERNELS_HPP

#include <cstddef>
#include <span>
#include <utility>

namespace kernels {

/* type(welford) of kernels.f90, member by member. */
struct welford {
    double memory;
    double count = 0;
    double mean = 0;
    double variance = 0;
};

extern "C" {
void telemetry_welford_add(welford *stats, std::size_t count, const double *x);
double telemetry_welford_deviation(const welford *stats);
std::size_t telemetry_zscore_worst(const welford *stats, double least, double threshold, std::size_t count,
                                   const double *x,
                                   std::size_t *worst, double *z);
double telemetry_quantile(std::size_t count, double *x, double p);
std::size_t telemetry_welch_psd(std::size_t count, const double *x, std::size_t length, double rate, double *psd);
void telemetry_welch_free();
}

inline void add(welford &stats, std::span<const double> x) {
    telemetry_welford_add(&stats, x.size(), x.data());
}

inline double deviation(const welford &stats) {
    return telemetry_welford_deviation(&stats);
}

struct unusual {
    std::size_t beyond; /* how many values */
    std::size_t worst;  /* the index of the furthest */
    double z;
};

inline unusual worst(const welford &stats, double least, double threshold, std::span<const double> x) {
    unusual found{};
    found.beyond = telemetry_zscore_worst(&stats, least, threshold, x.size(), x.data(), &found.worst, &found.z);
    return found;
}

/* Reorders @x. */
inline double quantile(std::span<double> x, double p) {
    return telemetry_quantile(x.size(), x.data(), p);
}

/* @psd has length / 2 + 1 places. Returns the number of segments averaged, 0 when there are too few samples. */
inline std::size_t welch(std::span<const double> x, std::size_t length, double rate, std::span<double> psd) {
    return telemetry_welch_psd(x.size(), x.data(), length, rate, psd.data());
}

} // namespace kernels

#endif
