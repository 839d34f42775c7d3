! Tests that print TAP: call check for each case, finish at the end. A test that stops early is seen by its missing
! plan.
module tap
    use, intrinsic :: iso_fortran_env, only: error_unit, output_unit
    implicit none
    private
    public :: check, check_text, finish

    integer :: count = 0
    integer :: failures = 0

contains

    subroutine check(is_good, what)
        logical, intent(in) :: is_good
        character(*), intent(in) :: what
        count = count + 1
        if (.not. is_good) failures = failures + 1
        write (output_unit, '(a, i0, a)') trim(merge('ok     ', 'not ok ', is_good))//' ', count, ' - '//what
        flush (output_unit)
    end subroutine

    ! The same for a text, which is shown when it is another.
    subroutine check_text(got, wanted, what)
        character(*), intent(in) :: got, wanted, what
        call check(got == wanted .and. len(got) == len(wanted), what)
        if (got /= wanted .or. len(got) /= len(wanted)) then
            write (output_unit, '(a)') '# got    '//got, '# wanted '//wanted
        end if
    end subroutine

    subroutine finish()
        write (output_unit, '(a, i0)') '1..', count
        flush (output_unit)
        if (failures > 0) error stop 1
    end subroutine
end module tap
