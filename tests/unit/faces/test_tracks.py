import numpy as np

from realface.core.boxes import Box
from realface.faces.detectors.face_detector import Face
from realface.faces.tracks import link_faces, main_track


def face(x, y=0, side=10):
    return Face(box=Box(x, y, x + side, y + side), score=1.0, landmarks=np.zeros((5, 2), dtype=np.float32))


def test_a_face_that_moves_a_little_keeps_its_track():
    assert link_faces([[face(0)], [face(3)], [face(6)]]) == [[0], [0], [0]]


def test_a_face_far_away_opens_a_track():
    assert link_faces([[face(0)], [face(50)]]) == [[0], [1]]


def test_two_people_keep_their_tracks_when_their_order_changes():
    assert link_faces([[face(0), face(50)], [face(51), face(1)]]) == [[0, 1], [1, 0]]


def test_the_larger_overlap_wins_when_two_faces_want_one_track():
    assert link_faces([[face(0)], [face(4), face(1)]]) == [[0], [1, 0]]


def test_a_track_survives_a_frame_without_its_face():
    assert link_faces([[face(0)], [], [face(1)]]) == [[0], [], [0]]


def test_no_frames_and_no_faces_give_no_tracks():
    assert link_faces([]) == []
    assert link_faces([[], []]) == [[], []]


def test_the_main_track_is_the_one_with_the_most_area_over_time():
    frames = [[face(0, side=10), face(100, side=12)], [face(0, side=10)]]
    assert main_track(frames, link_faces(frames)) == 0


def test_there_is_no_main_track_without_a_face():
    assert main_track([[]], [[]]) is None


def test_a_track_survives_many_frames_without_its_face_while_another_person_stays():
    frames = [[face(0), face(50)], *[[face(50)]] * 5, [face(50), face(2)]]
    assert link_faces(frames) == [[0, 1], *[[1]] * 5, [1, 0]]


def test_a_face_that_returns_elsewhere_opens_a_track():
    assert link_faces([[face(0)], [], [face(30)], [face(0)]]) == [[0], [], [1], [0]]


def test_two_people_who_pass_each_other_keep_their_tracks():
    frames = [[face(4 * step, y=0), face(20 - 4 * step, y=6)] for step in range(6)]
    assert link_faces(frames) == [[0, 1]] * 6


def test_tracks_stay_with_places_so_people_who_change_places_between_frames_are_not_told_apart():
    ours, theirs = face(0), face(50)
    assert link_faces([[ours, theirs], [theirs, ours]]) == [[0, 1], [1, 0]]
    other_in_our_place = face(1, side=9)
    assert link_faces([[ours], [], [other_in_our_place]]) == [[0], [], [0]]


def test_a_face_found_twice_in_a_frame_takes_one_place_of_the_track():
    assert link_faces([[face(0)], [face(0), face(0)], [face(0)]]) == [[0], [0, 1], [0]]


def test_faces_of_no_area_open_tracks_and_break_nothing():
    empty = face(5, side=0)
    assert link_faces([[empty], [empty, face(0)]]) == [[0], [1, 2]]
