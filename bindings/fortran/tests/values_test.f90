! Maps, values read by path, conversion between codecs, and errors.
program values_test
    use, intrinsic :: iso_fortran_env, only: int32, int64, real32, real64
    use tap
    use weir
    implicit none

    call maps()
    call paths()
    call converting()
    call errors()
    call finish()

contains

    subroutine maps()
        type(weir_map) :: m, inner, copy
        call check_text(m%json(), '{}', 'an empty map')
        call m%put('text', 'a "b" '//achar(92)//' c'//achar(10))
        call m%put('i', -7)
        call m%put('big', huge(1_int64))
        call m%put('on', .true.)
        call inner%put('x', 1)
        call m%put('in', inner)
        copy = m
        call m%put('more', .false.)
        call check_text(copy%json(), '{"text":"a '//achar(92)//'"b'//achar(92)//'" '//achar(92)//achar(92)//' c'// &
            achar(92)//'u000A","i":-7,"big":9223372036854775807,"on":true,"in":{"x":1}}', &
            'a map says its values as JSON')
        call check(len(m%json()) > len(copy%json()), 'a copy is a map of its own')
    end subroutine

    subroutine paths()
        type(weir_writer) :: w
        type(weir_message) :: m
        type(weir_map) :: map, meta, inner
        real(real64), allocatable :: x(:, :)
        real(real64) :: age
        call inner%put('x', 0.1d0)
        call inner%put('single', 0.1)
        call inner%put_array('grid', reshape([1d0, 2d0, 3d0, 4d0, 5d0, 6d0], [2, 3]))
        call map%put('in', inner)
        call map%put('n', 3000000000_int64)
        call map%put('name', 'zwölf')
        call map%put('yes', .true.)
        call meta%put('rate', 50)
        call w%open('test/paths')
        call w%send(map, op='map', unit='V', meta=meta)
        call weir_get('test/paths', m)
        call check_text(m%op(), 'map', 'the operation')
        age = m%age()
        call check(m%seq() == 1 .and. m%gap() == 0 .and. age >= 0 .and. age < 60, 'seq, gap and age')
        call read_values(m)
        call m%array(x, 'in.grid')
        call check(all(shape(x) == [2, 3]) .and. x(2, 3) == 6, 'an array inside a map keeps type, shape and indices')
        call check_text(m%kind('in.grid'), 'f64[2,3]:col', 'and its order')
        call check(m%has('in.x'), 'has says what is there')
        call check(.not. m%has('in.y'), 'and what is not')
        call check_text(m%meta_json(), '{"rate":50,"unit":"V"}', 'meta as canonical JSON')
    end subroutine

    subroutine read_values(m)
        type(weir_message), intent(inout) :: m
        real(real64) :: d
        real(real32) :: s
        integer(int64) :: n
        integer(int32) :: small
        logical :: yes
        character(:), allocatable :: text
        character(200) :: sentence
        integer :: stat
        call m%get('in.x', d)
        call check(d == 0.1d0, 'a real(8) by path, to the last bit')
        call m%get('in.single', s)
        call check(s == 0.1, 'a real(4) by path')
        call m%get('in.x', s, stat)
        call check(stat == WEIR_ETYPE, 'a real(8) that is no real(4) is refused')
        call m%get('n', n)
        call check(n == 3000000000_int64, 'an integer(8)')
        call m%get('n', small, stat)
        call check(stat == WEIR_ETYPE, 'too big for an integer(4)')
        call m%get('yes', yes)
        call check(yes, 'a logical')
        call m%get('name', text)
        call check_text(text, 'zwölf', 'a text')
        call m%get('name', d, stat, sentence)
        call check(stat == WEIR_ETYPE .and. index(sentence, 'name') > 0, 'a text is no number')
        call m%get('nothing.there', d, stat)
        call check(stat == WEIR_ENOENT, 'no value at a path')
        call m%get_meta('unit', text)
        call check_text(text, 'V', 'the unit in meta')
        call m%get_meta('rate', small)
        call check(small == 50, 'a number in meta')
    end subroutine

    subroutine converting()
        character(:), allocatable :: cbor, json
        integer :: stat
        character(300) :: sentence
        call weir_convert('{"a": [1, 2.5, "x"]}', 'json', 'cbor', cbor)
        call check(iachar(cbor(1:1)) == 161, 'JSON becomes CBOR')
        call weir_convert(cbor, 'cbor', 'json', json)
        call check_text(json, '{"a":[1,2.5,"x"]}', 'and JSON again')
        call weir_convert('{"a": ', 'json', 'cbor', cbor, stat, sentence)
        call check(stat == WEIR_EPARSE .and. len_trim(sentence) > 0, 'bad JSON is refused with a sentence')
        call weir_convert('1', 'json', 'morse', cbor, stat)
        call check(stat == WEIR_EINVAL, 'an unknown codec is refused')
        call check(scan(weir_version(), '.') > 0, 'the version')
    end subroutine

    subroutine errors()
        type(weir_reader) :: r
        type(weir_error) :: error
        integer :: stat
        character(300) :: sentence
        call r%open('nonsense://x', stat, sentence)
        error = r%error()
        call check(stat == WEIR_EADDRESS .and. error%code == WEIR_EADDRESS, 'an unknown scheme')
        call check_text(error%name(), 'WEIR_EADDRESS', 'its name')
        call check(index(sentence, 'nonsense') > 0, 'its sentence names the address')
        call check(.not. r%is_open(), 'and nothing is open')
        call check(.not. r%next_any(0d0, stat) .and. stat == WEIR_EINVAL, 'a reader that is not open says so')
    end subroutine
end program values_test
