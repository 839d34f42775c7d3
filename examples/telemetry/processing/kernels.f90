!> The numbers behind the page: power spectral density, running statistics, unusual values.
!>
!> Every procedure can be called from C (kernels.hpp declares them), touches only its arguments, and never stops the program:
!> what cannot be computed is answered with 0. The exception is welch_psd, which keeps its FFTW plan between calls, so it is for
!> one thread at a time; welch_free gives the plan back.
module kernels
    use, intrinsic :: iso_c_binding
    implicit none (type, external)
    private
    public :: welford, welford_add, welford_deviation, welch_psd, welch_free, quantile, zscore_worst

    include 'fftw3.f03'

    !> Mean and variance of all values so far, in one pass (Welford). A memory of m values lets older ones fade as new ones come,
    !> so that "usual" follows a machine through its day; 0 never forgets.
    type, bind(c) :: welford
        real(c_double) :: memory
        real(c_double) :: count    !< values seen, at most memory
        real(c_double) :: mean
        real(c_double) :: variance !< population variance
    end type welford

    type(c_ptr), save :: plan = c_null_ptr, room_in = c_null_ptr, room_out = c_null_ptr
    integer(c_size_t), save :: plan_length = 0
    real(c_double), pointer, save :: segment(:) => null()
    complex(c_double_complex), pointer, save :: transform(:) => null()
    real(c_double), allocatable, save :: window(:)

contains

    !> Add values to running statistics.
    subroutine welford_add(stats, count, x) bind(c, name="telemetry_welford_add")
        type(welford), intent(inout) :: stats
        integer(c_size_t), value :: count
        real(c_double), intent(in) :: x(count)
        real(c_double) :: delta, share
        integer(c_size_t) :: i
        do i = 1, count
            stats%count = stats%count + 1
            if (stats%memory > 0) stats%count = min(stats%count, stats%memory)
            share = 1/stats%count
            delta = x(i) - stats%mean
            stats%mean = stats%mean + share*delta
            ! Exact while nothing is forgotten, an exponentially fading variance afterwards: the same line says both.
            stats%variance = (1 - share)*(stats%variance + share*delta**2)
        end do
    end subroutine welford_add

    !> Sample standard deviation; 0 below two values.
    pure real(c_double) function welford_deviation(stats) result(deviation) bind(c, name="telemetry_welford_deviation")
        type(welford), intent(in) :: stats
        deviation = 0
        if (stats%count >= 2) deviation = sqrt(max(stats%variance*stats%count/(stats%count - 1), 0.0_c_double))
    end function welford_deviation

    !> How many of the values lie further than threshold deviations from the mean, and which lies furthest (from 0) at which z.
    !> A signal that hardly moves would make everything unusual: deviations below least count as least.
    integer(c_size_t) function zscore_worst(stats, least, threshold, count, x, worst, z) result(beyond) &
        bind(c, name="telemetry_zscore_worst")
        type(welford), intent(in) :: stats
        real(c_double), value :: least, threshold
        integer(c_size_t), value :: count
        real(c_double), intent(in) :: x(count)
        integer(c_size_t), intent(out) :: worst
        real(c_double), intent(out) :: z
        real(c_double) :: deviation, score
        integer(c_size_t) :: i
        beyond = 0
        worst = 0
        z = 0
        deviation = max(welford_deviation(stats), least)
        if (.not. deviation > 0) return
        do i = 1, count
            score = (x(i) - stats%mean)/deviation
            if (abs(score) > threshold) beyond = beyond + 1
            if (abs(score) <= abs(z)) cycle
            z = score
            worst = i - 1
        end do
    end function zscore_worst

    !> The smallest value that at least the share p of all values do not exceed (nearest rank). x is reordered.
    real(c_double) function quantile(count, x, p) result(value) bind(c, name="telemetry_quantile")
        integer(c_size_t), value :: count
        real(c_double), intent(inout) :: x(count)
        real(c_double), value :: p
        integer(c_size_t) :: low, high, left, right, rank
        real(c_double) :: pivot
        value = 0
        if (count == 0) return
        rank = max(1_c_size_t, min(count, ceiling(p*real(count, c_double), c_size_t)))
        low = 1
        high = count
        do while (low < high) ! Hoare's selection
            pivot = x((low + high)/2)
            left = low
            right = high
            do while (left <= right)
                do while (x(left) < pivot)
                    left = left + 1
                end do
                do while (pivot < x(right))
                    right = right - 1
                end do
                if (left > right) exit
                x([left, right]) = x([right, left])
                left = left + 1
                right = right - 1
            end do
            if (right < rank) low = left
            if (rank < left) high = right
        end do
        value = x(rank)
    end function quantile

    !> One-sided power spectral density by Welch's method: segments of length samples that overlap by half, each freed of its mean,
    !> under a Hann window, averaged. psd(k) belongs to the frequency (k - 1)*rate/length and its integral is the signal's variance.
    !> Returns how many segments were averaged; 0 (and psd untouched) when there are fewer samples than one segment.
    integer(c_size_t) function welch_psd(count, x, length, rate, psd) result(segments) &
        bind(c, name="telemetry_welch_psd")
        integer(c_size_t), value :: count, length
        real(c_double), intent(in) :: x(count)
        real(c_double), value :: rate
        real(c_double), intent(inout) :: psd(length/2 + 1)
        integer(c_size_t) :: first, step
        segments = 0
        if (length < 2 .or. count < length .or. .not. rate > 0) return
        if (.not. is_planned(length)) return
        psd = 0
        step = length - length/2
        do first = 1, count - length + 1, step
            segment = window*(x(first:first + length - 1) - sum(x(first:first + length - 1))/real(length, c_double))
            call fftw_execute_dft_r2c(plan, segment, transform)
            psd = psd + real(transform)**2 + aimag(transform)**2
            segments = segments + 1
        end do
        psd = psd/(real(segments, c_double)*rate*sum(window**2))
        ! Negative frequencies are folded onto the positive ones; 0 and the highest of an even length have no twin.
        psd(2:(length + 1)/2) = 2*psd(2:(length + 1)/2)
    end function welch_psd

    !> Make the plan for segments of this length, unless it is there already.
    logical function is_planned(length)
        integer(c_size_t), intent(in) :: length
        real(c_double), parameter :: pi = acos(-1.0_c_double)
        integer(c_size_t) :: i
        is_planned = c_associated(plan) .and. plan_length == length
        if (is_planned) return
        call welch_free()
        room_in = fftw_alloc_real(length)
        room_out = fftw_alloc_complex(length/2 + 1)
        if (.not. (c_associated(room_in) .and. c_associated(room_out))) return
        call c_f_pointer(room_in, segment, [length])
        call c_f_pointer(room_out, transform, [length/2 + 1])
        plan = fftw_plan_dft_r2c_1d(int(length, c_int), segment, transform, FFTW_ESTIMATE)
        window = [(0.5_c_double - 0.5_c_double*cos(2*pi*real(i, c_double)/real(length, c_double)), i=0, length - 1)]
        plan_length = length
        is_planned = c_associated(plan)
    end function is_planned

    !> Give back what welch_psd keeps.
    subroutine welch_free() bind(c, name="telemetry_welch_free")
        if (c_associated(plan)) call fftw_destroy_plan(plan)
        if (c_associated(room_in)) call fftw_free(room_in)
        if (c_associated(room_out)) call fftw_free(room_out)
        plan = c_null_ptr
        room_in = c_null_ptr
        room_out = c_null_ptr
        nullify (segment, transform)
        plan_length = 0
    end subroutine welch_free

end module kernels
