!> Tests of the kernels against signals whose answer is known on paper. Prints TAP; the exit status is 1 when one fails.
program kernels_test
    use, intrinsic :: iso_c_binding
    use kernels
    implicit none (type, external)

    real(c_double), parameter :: pi = acos(-1.0_c_double)
    integer :: tests = 0, failures = 0

    call parseval_one_segment(64_c_size_t)
    call parseval_one_segment(4096_c_size_t)
    call parseval_one_segment(63_c_size_t)
    call parseval_overlapping()
    call sine_on_a_bin()
    call sine_between_bins()
    call two_sines_apart()
    call constant_has_no_power()
    call noise_is_flat()
    call too_few_samples()
    call windows_in_turn()
    call welford_is_exact()
    call welford_far_from_zero()
    call welford_in_pieces()
    call welford_forgets()
    call welford_of_nothing()
    call zscore_known()
    call zscore_at_the_threshold()
    call zscore_of_a_quiet_signal()
    call quantile_nearest_rank()
    call quantile_like_sorting()
    call welch_free()
    print '("1..", i0)', tests
    if (failures > 0) stop 1, quiet=.true.

contains

    subroutine check(is_right, what)
        logical, intent(in) :: is_right
        character(*), intent(in) :: what
        tests = tests + 1
        if (is_right) then
            print '("ok ", i0, " - ", a)', tests, what
        else
            failures = failures + 1
            print '("not ok ", i0, " - ", a)', tests, what
        end if
    end subroutine check

    logical function near(a, b, relative)
        real(c_double), intent(in) :: a, b, relative
        near = abs(a - b) <= relative*max(abs(a), abs(b))
    end function near

    !> The same values at every run: a linear congruential generator, uniform in [0, 1).
    function noise(count) result(x)
        integer(c_size_t), intent(in) :: count
        real(c_double) :: x(count)
        integer(c_int64_t) :: state
        integer(c_size_t) :: i
        state = 20260101
        do i = 1, count
            state = iand(state*1103515245_c_int64_t + 12345_c_int64_t, 2147483647_c_int64_t)
            x(i) = real(state, c_double)/2147483648.0_c_double
        end do
    end function noise

    function sine(count, amplitude, frequency, rate) result(x)
        integer(c_size_t), intent(in) :: count
        real(c_double), intent(in) :: amplitude, frequency, rate
        real(c_double) :: x(count)
        integer(c_size_t) :: i
        x = [(amplitude*sin(2*pi*frequency*real(i, c_double)/rate), i=0, count - 1)]
    end function sine

    function hann(length) result(w)
        integer(c_size_t), intent(in) :: length
        real(c_double) :: w(length)
        integer(c_size_t) :: i
        w = [(sin(pi*real(i, c_double)/real(length, c_double))**2, i=0, length - 1)]
    end function hann

    !> What the integral of the density must be for one segment, by Parseval's theorem: no transform needed.
    real(c_double) function power(x)
        real(c_double), intent(in) :: x(:)
        real(c_double) :: w(size(x))
        w = hann(size(x, kind=c_size_t))
        power = sum((w*(x - sum(x)/size(x)))**2)/sum(w**2)
    end function power

    subroutine parseval_one_segment(length)
        integer(c_size_t), intent(in) :: length
        real(c_double) :: x(length), psd(length/2 + 1)
        character(8) :: text
        integer(c_size_t) :: segments
        x = 100*noise(length) + 7
        segments = welch_psd(length, x, length, 1000.0_c_double, psd)
        write (text, '(i0)') length
        call check(segments == 1 .and. near(sum(psd)*1000/length, power(x), 1e-12_c_double), &
                   'Parseval: the integral over one segment of '//trim(text)//' is its windowed power')
    end subroutine parseval_one_segment

    subroutine parseval_overlapping()
        integer(c_size_t), parameter :: length = 128, count = 128 + 5*64
        real(c_double) :: x(count), psd(length/2 + 1), expected
        integer(c_size_t) :: segments
        integer :: i
        x = noise(count) + sine(count, 3.0_c_double, 77.7_c_double, 1000.0_c_double)
        segments = welch_psd(count, x, length, 1000.0_c_double, psd)
        expected = sum([(power(x(64*i + 1:64*i + 128)), i=0, 5)])/6
        call check(segments == 6, 'segments overlap by half: 448 samples hold 6 of 128')
        call check(near(sum(psd)*1000/length, expected, 1e-12_c_double), 'Parseval: segments are averaged')
    end subroutine parseval_overlapping

    subroutine sine_on_a_bin()
        integer(c_size_t), parameter :: length = 256, count = 2048
        real(c_double) :: psd(length/2 + 1), width
        integer(c_size_t) :: segments
        width = 1000.0_c_double/length
        segments = welch_psd(count, sine(count, 2.0_c_double, 40*width, 1000.0_c_double), length, 1000.0_c_double, psd)
        call check(segments > 1 .and. maxloc(psd, 1) == 41, 'a sine at 40 bins peaks in bin 40')
        call check(near(sum(psd(40:42))*width, 2.0_c_double, 1e-9_c_double), 'its power is half its amplitude squared')
        call check(near(psd(40), psd(41)/4, 1e-9_c_double) .and. near(psd(42), psd(41)/4, 1e-9_c_double), &
                   'the Hann window puts a quarter of the peak on either side')
        call check(maxval(psd(:38)) < 1e-20*psd(41) .and. maxval(psd(44:)) < 1e-20*psd(41), 'and nothing elsewhere')
    end subroutine sine_on_a_bin

    subroutine sine_between_bins()
        integer(c_size_t), parameter :: length = 1024, count = 8192
        real(c_double) :: psd(length/2 + 1)
        integer(c_size_t) :: segments
        segments = welch_psd(count, sine(count, 5.0_c_double, 123.4_c_double, 1000.0_c_double), length, 1000.0_c_double, psd)
        call check(segments == 15 .and. maxloc(psd, 1) - 1 == nint(123.4*length/1000), &
                   'a sine between bins peaks in the nearest')
        call check(near(sum(psd)*1000/length, 12.5_c_double, 1e-3_c_double), 'and keeps its power')
    end subroutine sine_between_bins

    subroutine two_sines_apart()
        integer(c_size_t), parameter :: length = 512, count = 4096
        real(c_double) :: psd(length/2 + 1), width
        integer(c_size_t) :: segments
        width = 1000.0_c_double/length
        segments = welch_psd(count, sine(count, 1.0_c_double, 20*width, 1000.0_c_double) &
                             + sine(count, 0.01_c_double, 200*width, 1000.0_c_double), length, 1000.0_c_double, psd)
        call check(segments == 15 .and. near(psd(201)/psd(21), 1e-4_c_double, 1e-6_c_double), &
                   'a sine 40 dB below another stands where it should')
    end subroutine two_sines_apart

    subroutine constant_has_no_power()
        integer(c_size_t), parameter :: length = 64, count = 256
        real(c_double) :: x(count), psd(length/2 + 1)
        integer(c_size_t) :: segments
        x = 1e6_c_double
        segments = welch_psd(count, x, length, 1000.0_c_double, psd)
        call check(segments == 7 .and. maxval(abs(psd)) < 1e-12, 'a constant has no spectrum')
    end subroutine constant_has_no_power

    subroutine noise_is_flat()
        integer(c_size_t), parameter :: length = 64, count = 65536
        real(c_double) :: psd(length/2 + 1), expected
        integer(c_size_t) :: segments
        expected = 1.0_c_double/12/500 ! the variance of the uniform distribution over half the rate
        segments = welch_psd(count, noise(count), length, 1000.0_c_double, psd)
        call check(segments == 2047 .and. all(abs(psd(3:length/2) - expected) < 0.15*expected), &
                   'white noise is flat, at its variance')
    end subroutine noise_is_flat

    subroutine too_few_samples()
        real(c_double) :: x(63), psd(33)
        integer(c_size_t) :: segments
        x = 1
        psd = -1
        segments = welch_psd(63_c_size_t, x, 64_c_size_t, 1000.0_c_double, psd)
        call check(segments == 0 .and. all(psd < 0), &
                   'fewer samples than one segment: no spectrum, nothing written')
    end subroutine too_few_samples

    subroutine windows_in_turn()
        integer(c_size_t), parameter :: count = 4096
        integer(c_size_t) :: length, segments
        real(c_double) :: x(count)
        real(c_double), allocatable :: psd(:)
        logical :: is_right
        x = sine(count, 1.0_c_double, 125.0_c_double, 1000.0_c_double)
        is_right = .true.
        length = 4096
        do while (length >= 64)
            allocate (psd(length/2 + 1))
            segments = welch_psd(count, x, length, 1000.0_c_double, psd)
            is_right = is_right .and. segments == 2*count/length - 1 .and. maxloc(psd, 1) - 1 == length/8
            deallocate (psd)
            length = length/2
        end do
        call check(is_right, 'the length may change from call to call: 4096 down to 64')
    end subroutine windows_in_turn

    subroutine welford_is_exact()
        type(welford) :: stats
        stats = welford(0, 0, 0, 0)
        call welford_add(stats, 8_c_size_t, [2, 4, 4, 4, 5, 5, 7, 9]*1.0_c_double)
        call check(near(stats%mean, 5.0_c_double, 1e-15_c_double) .and. near(stats%variance, 4.0_c_double, 1e-15_c_double), &
                   'Welford: 2 4 4 4 5 5 7 9 has mean 5 and population variance 4')
        call check(near(welford_deviation(stats), sqrt(32.0_c_double/7), 1e-15_c_double), 'Welford: sample deviation')
    end subroutine welford_is_exact

    subroutine welford_far_from_zero()
        type(welford) :: stats
        stats = welford(0, 0, 0, 0)
        call welford_add(stats, 4_c_size_t, 1e9_c_double + [4, 7, 13, 16])
        call check(near(welford_deviation(stats)**2, 30.0_c_double, 1e-9_c_double), &
                   'Welford: a small variance far from zero survives')
    end subroutine welford_far_from_zero

    subroutine welford_in_pieces()
        type(welford) :: whole, pieces
        real(c_double) :: x(1000)
        x = noise(1000_c_size_t)
        whole = welford(0, 0, 0, 0)
        pieces = whole
        call welford_add(whole, 1000_c_size_t, x)
        call welford_add(pieces, 1_c_size_t, x(1:1))
        call welford_add(pieces, 0_c_size_t, x)
        call welford_add(pieces, 999_c_size_t, x(2:))
        call check(near(whole%mean, pieces%mean, 0.0_c_double) .and. &
                   near(whole%variance, pieces%variance, 0.0_c_double) .and. &
                   near(whole%variance, sum((x - sum(x)/1000)**2)/1000, 1e-12_c_double), &
                   'Welford: in pieces as in one, and as in two passes')
    end subroutine welford_in_pieces

    subroutine welford_forgets()
        type(welford) :: stats
        real(c_double) :: x(5000)
        integer :: i
        stats = welford(100, 0, 0, 0)
        call welford_add(stats, 5000_c_size_t, 50 + 10*noise(5000_c_size_t))
        x = [(real(7 + mod(i, 2), c_double), i=1, 5000)]
        call welford_add(stats, 5000_c_size_t, x)
        call check(near(stats%count, 100.0_c_double, 0.0_c_double) .and. near(stats%mean, 7.5_c_double, 1e-2_c_double) .and. &
                   near(stats%variance, 0.25_c_double, 2e-2_c_double), 'Welford: with a memory the past fades')
    end subroutine welford_forgets

    subroutine welford_of_nothing()
        type(welford) :: stats
        stats = welford(0, 0, 0, 0)
        call check(near(welford_deviation(stats), 0.0_c_double, 0.0_c_double), 'Welford: nothing deviates by nothing')
        call welford_add(stats, 1_c_size_t, [3.0_c_double])
        call check(near(stats%mean, 3.0_c_double, 0.0_c_double) .and. &
                   near(welford_deviation(stats), 0.0_c_double, 0.0_c_double), 'Welford: neither does a single value')
    end subroutine welford_of_nothing

    !> Mean 5, sample deviation 2 exactly.
    type(welford) function known()
        known = welford(0, 0, 0, 0)
        call welford_add(known, 2_c_size_t, 5 + sqrt(2.0_c_double)*[-1, 1])
    end function known

    subroutine zscore_known()
        integer(c_size_t) :: beyond, worst
        real(c_double) :: z
        beyond = zscore_worst(known(), 0.0_c_double, 3.0_c_double, 5_c_size_t, [5, 12, 6, -9, 4]*1.0_c_double, worst, z)
        call check(beyond == 2, 'z-scores: 12 and -9 are beyond 3 deviations of 2 from 5')
        call check(worst == 3 .and. near(z, -7.0_c_double, 1e-14_c_double), 'z-scores: -9 is the worst, at -7')
    end subroutine zscore_known

    subroutine zscore_at_the_threshold()
        type(welford) :: stats
        integer(c_size_t) :: beyond, worst
        real(c_double) :: z
        stats = welford(0, 2, 10, 0.5_c_double) ! sample deviation 1
        beyond = zscore_worst(stats, 0.0_c_double, 4.0_c_double, 1_c_size_t, [14.0_c_double], worst, z)
        call check(beyond == 0 .and. near(z, 4.0_c_double, 0.0_c_double), 'z-scores: at the threshold is not beyond it')
    end subroutine zscore_at_the_threshold

    subroutine zscore_of_a_quiet_signal()
        type(welford) :: stats
        integer(c_size_t) :: beyond, worst
        real(c_double) :: z
        stats = welford(0, 0, 0, 0)
        call welford_add(stats, 3_c_size_t, [1, 1, 1]*1.0_c_double)
        beyond = zscore_worst(stats, 0.0_c_double, 3.0_c_double, 1_c_size_t, [9.0_c_double], worst, z)
        call check(beyond == 0 .and. near(z, 0.0_c_double, 0.0_c_double), &
                   'z-scores: without any deviation nothing can be said')
        beyond = zscore_worst(stats, 2.0_c_double, 3.0_c_double, 1_c_size_t, [9.0_c_double], worst, z)
        call check(beyond == 1 .and. near(z, 4.0_c_double, 1e-15_c_double), 'z-scores: the least deviation replaces it')
    end subroutine zscore_of_a_quiet_signal

    logical function is_quantile(x, p, expected)
        real(c_double), intent(in) :: x(:), p, expected
        real(c_double) :: copy(size(x)), found
        copy = x
        found = quantile(size(x, kind=c_size_t), copy, p)
        is_quantile = near(found, expected, 0.0_c_double)
    end function is_quantile

    subroutine quantile_nearest_rank()
        real(c_double), parameter :: x(5) = [35, 20, 15, 50, 40]
        real(c_double), parameter :: p(5) = [0.0_c_double, 0.3_c_double, 0.4_c_double, 0.5_c_double, 1.0_c_double]
        real(c_double), parameter :: expected(5) = [15, 20, 20, 35, 50]
        integer :: i
        do i = 1, 5
            call check(is_quantile(x, p(i), expected(i)), 'quantile: 15 20 35 40 50 by nearest rank')
        end do
        call check(is_quantile([7.0_c_double], 0.99_c_double, 7.0_c_double), 'quantile: of one value')
        call check(is_quantile([real(c_double) ::], 0.5_c_double, 0.0_c_double), 'quantile: of none')
    end subroutine quantile_nearest_rank

    subroutine quantile_like_sorting()
        real(c_double) :: x(1000), sorted(1000)
        integer :: i, j
        logical :: is_right
        x = real(int(200*noise(1000_c_size_t)), c_double) ! many values repeat
        sorted = x
        do i = 2, 1000
            do j = i, 2, -1
                if (sorted(j) >= sorted(j - 1)) exit
                sorted([j - 1, j]) = sorted([j, j - 1])
            end do
        end do
        is_right = .true.
        do i = 1, 100
            if (.not. is_quantile(x, i/100.0_c_double, sorted(10*i))) is_right = .false.
        end do
        call check(is_right, 'quantile: as sorting would have it, at every percent')
    end subroutine quantile_like_sorting

end program kernels_test
