! weir: channels between programs in different languages, from Fortran.
!
!     use weir
!     type(weir_reader) :: r
!     real(8), allocatable :: x(:,:)
!     call r%open('lab/spectrum')
!     do while (r%next(x, timeout=1d0))
!         print *, shape(x), maxval(x)
!     end do
!
! Arrays have the same shape and the same indices on both sides, whatever their order in memory: README.md, "Order". The
! types are explained where they are defined: weir_ends.f90, weir_calls.f90, weir_content.f90, weir_support.f90.
module weir
    use, intrinsic :: iso_c_binding
    use weir_calls, only: weir_client, weir_server
    use weir_constants
    use weir_content_module, only: weir_content, weir_get, weir_message
    use weir_ends, only: weir_reader, weir_writer
    use weir_raw, only: weir_raw_buffer_free, weir_raw_buffer_new, weir_raw_buffer_view, weir_raw_codec_find, &
        weir_raw_channel_info, weir_raw_channel_remove, weir_raw_codec_options, weir_raw_decode, &
        weir_raw_directory_clean, weir_raw_directory_list, weir_raw_doc_free, weir_raw_doc_new, weir_raw_doc_root, &
        weir_raw_encode, weir_raw_error, weir_raw_version, weir_raw_wait
    use weir_support, only: c_string, c_text, flag, nanoseconds, settle, settle_next, text_of, value_json, &
        weir_error, weir_map
    implicit none
    private
    public :: weir_clean, weir_client, weir_content, weir_convert, weir_directory, weir_error, weir_get, weir_info, &
        weir_map, weir_message, weir_reader, weir_remove, weir_server, weir_version, weir_wait, weir_writer
    public :: &
        WEIR_VERSION_TEXT, WEIR_OK, WEIR_EAGAIN, WEIR_ETIMEOUT, WEIR_ECLOSED, WEIR_ETOOBIG, WEIR_ENOENT, &
        WEIR_ETYPE, WEIR_EREMOTE, WEIR_EPEER, WEIR_EBUSY, WEIR_EINVAL, WEIR_EADDRESS, WEIR_EACCESS, WEIR_EPARSE, &
        WEIR_EENCODE, WEIR_ELIMIT, WEIR_ENOMEM, WEIR_ENOSPC, WEIR_ESYSTEM, WEIR_ECORRUPT, WEIR_EVERSION, &
        WEIR_ENOTSUP, WEIR_EFORKED, WEIR_EFENCED, WEIR_OP_MAX, WEIR_KIND_NULL, WEIR_KIND_UNDEFINED, &
        WEIR_KIND_BOOL, WEIR_KIND_INT64, WEIR_KIND_UINT64, WEIR_KIND_BIGINT, WEIR_KIND_FLOAT32, &
        WEIR_KIND_FLOAT64, WEIR_KIND_DECIMAL, WEIR_KIND_TEXT, WEIR_KIND_BYTES, WEIR_KIND_TIME, WEIR_KIND_ARRAY, &
        WEIR_KIND_MAP, WEIR_KIND_NDARRAY, WEIR_KIND_TAGGED, WEIR_U8, WEIR_U16, WEIR_U32, WEIR_U64, WEIR_I8, &
        WEIR_I16, WEIR_I32, WEIR_I64, WEIR_F32, WEIR_F64, WEIR_ROW, WEIR_COLUMN, WEIR_TAG_CBOR, WEIR_TAG_SIMPLE, &
        WEIR_TAG_BSON, WEIR_RANK_MAX, WEIR_CODEC_JSON, WEIR_CODEC_CBOR, WEIR_CODEC_SMILE, WEIR_CODEC_BSON, &
        WEIR_CODEC_RAW, WEIR_PLAIN, WEIR_STRICT, WEIR_CANONICAL, WEIR_PRETTY, WEIR_SEQUENCE, WEIR_DEPTH_MAX, &
        WEIR_BYTES_MAX, WEIR_VALUES_MAX
contains

    ! The version of the library that is running.
    function weir_version() result(version)
        character(:), allocatable :: version
        version = c_string(weir_raw_version())
    end function

    ! Bytes of one codec as bytes of another: call weir_convert(json, 'json', 'cbor', cbor).
    subroutine weir_convert(input, from, to, output, stat, errmsg)
        character(*), intent(in) :: input, from, to
        character(:), allocatable, intent(inout) :: output
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(weir_raw_error) :: raw
        type(c_ptr) :: doc, buffer
        integer(c_int) :: status, source, target
        doc = c_null_ptr
        buffer = c_null_ptr
        status = weir_raw_codec_find(c_text(trim(from)), source, raw)
        if (status == WEIR_OK) status = weir_raw_codec_find(c_text(trim(to)), target, raw)
        if (status == WEIR_OK) status = weir_raw_doc_new(doc)
        if (status == WEIR_OK) status = weir_raw_buffer_new(buffer)
        if (status == WEIR_OK) then
            status = weir_raw_decode(doc, source, input, len(input, c_size_t), c_null_ptr, c_null_ptr, raw)
        end if
        if (status == WEIR_OK) then
            status = weir_raw_encode(weir_raw_doc_root(doc), target, weir_raw_codec_options(), buffer, raw)
        end if
        if (status == WEIR_OK) output = text_of(weir_raw_buffer_view(buffer))
        doc = weir_raw_doc_free(doc)
        buffer = weir_raw_buffer_free(buffer)
        call settle(status, raw, stat, errmsg)
    end subroutine

    ! Wait until one of these descriptors, of ends or of anything else, is readable: ready(i) says which. .false. when
    ! none was in time. Ask an end, next(timeout=0d0), until it has nothing more before its descriptor is waited for.
    logical function weir_wait(fds, ready, timeout, stat, errmsg) result(is_there)
        integer, intent(in) :: fds(:)
        logical, intent(out) :: ready(size(fds))
        real(c_double), intent(in), optional :: timeout
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(weir_raw_error) :: raw
        integer(c_int) :: are_ready(size(fds)), status
        status = weir_raw_wait(fds, size(fds, kind=c_size_t), are_ready, nanoseconds(timeout), raw)
        ready = are_ready /= 0
        is_there = settle_next(status, raw, stat, errmsg)
    end function

    ! The channels of this machine and who has them open, as JSON text: an array of maps.
    subroutine weir_directory(json, stat, errmsg)
        character(:), allocatable, intent(inout) :: json
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(weir_raw_error) :: raw
        type(c_ptr) :: doc
        integer(c_int) :: status
        doc = c_null_ptr
        status = weir_raw_doc_new(doc)
        if (status == WEIR_OK) status = weir_raw_directory_list(doc, raw)
        call settle_document(status, doc, json, raw, stat, errmsg)
    end subroutine

    ! Why one channel is as it is, as JSON text.
    subroutine weir_info(address, json, stat, errmsg)
        character(*), intent(in) :: address
        character(:), allocatable, intent(inout) :: json
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(weir_raw_error) :: raw
        type(c_ptr) :: doc
        integer(c_int) :: status
        doc = c_null_ptr
        status = weir_raw_doc_new(doc)
        if (status == WEIR_OK) status = weir_raw_channel_info(c_text(trim(address)), doc, raw)
        call settle_document(status, doc, json, raw, stat, errmsg)
    end subroutine

    ! Take one channel away with its messages when nobody has it open (WEIR_EBUSY says who has); json: what it was.
    subroutine weir_remove(address, json, dry_run, stat, errmsg)
        character(*), intent(in) :: address
        character(:), allocatable, intent(inout) :: json
        logical, intent(in), optional :: dry_run
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(weir_raw_error) :: raw
        type(c_ptr) :: doc
        integer(c_int) :: status
        doc = c_null_ptr
        status = weir_raw_doc_new(doc)
        if (status == WEIR_OK) status = weir_raw_channel_remove(c_text(trim(address)), doc, flag(dry_run), raw)
        call settle_document(status, doc, json, raw, stat, errmsg)
    end subroutine

    ! Take away what the dead left; json: what it was.
    subroutine weir_clean(json, dry_run, stat, errmsg)
        character(:), allocatable, intent(inout) :: json
        logical, intent(in), optional :: dry_run
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(weir_raw_error) :: raw
        type(c_ptr) :: doc
        integer(c_int) :: status
        doc = c_null_ptr
        status = weir_raw_doc_new(doc)
        if (status == WEIR_OK) status = weir_raw_directory_clean(doc, flag(dry_run), raw)
        call settle_document(status, doc, json, raw, stat, errmsg)
    end subroutine

    ! Give a document as JSON text and free it; @status: of filling it.
    subroutine settle_document(status, doc, json, raw, stat, errmsg)
        integer(c_int), intent(in) :: status
        type(c_ptr), intent(inout) :: doc
        character(:), allocatable, intent(inout) :: json
        type(weir_raw_error), intent(inout) :: raw
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer(c_int) :: outcome
        outcome = status
        if (outcome == WEIR_OK) outcome = value_json(weir_raw_doc_root(doc), 0_c_int, json, raw)
        doc = weir_raw_doc_free(doc)
        call settle(outcome, raw, stat, errmsg)
    end subroutine
end module weir
