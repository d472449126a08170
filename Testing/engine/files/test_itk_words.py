"""ITK's words are kept off standard error while a file is read or written, and only then."""

import os
import threading

import pytest

from SuperResolutionLib.files.itk_words import itk_is_quiet


def test_words_come_through_again_afterwards_whatever_happened_within(capfd):
    with pytest.raises(RuntimeError), itk_is_quiet():
        os.write(2, b"within")
        raise RuntimeError
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_of_several_threads_the_last_one_to_leave_lets_words_through(capfd):
    first_left = threading.Event()

    def stay():
        with itk_is_quiet():
            inside.set()
            first_left.wait(10)
            os.write(2, b"within")

    inside = threading.Event()
    thread = threading.Thread(target=stay)
    with itk_is_quiet():
        thread.start()
        inside.wait(10)
    os.write(2, b"still within")
    first_left.set()
    thread.join()
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"
