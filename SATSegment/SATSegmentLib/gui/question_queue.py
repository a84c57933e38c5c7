"""Questions that are asked one after the other in the same line."""

from __future__ import annotations

from collections.abc import Sequence

from slicer.i18n import tr as _

from SATSegmentLib.gui.prompt_question import QuestionBar
from SATSegmentLib.gui.prompt_questions import Question
from SATSegmentLib.gui.signal import Signal


class QuestionQueue:
    """Asks in a QuestionBar; a question that is dismissed is passed over.

    Signals
    -------
    answered(name, prompts): what was chosen.
    moved(): a question was answered or dismissed; the next one is shown, or none is left.
    """

    def __init__(self, bar: QuestionBar) -> None:
        self.answered, self.moved = Signal(), Signal()
        self._bar = bar
        self._questions: tuple[Question, ...] = ()
        self._asked = 0
        bar.chosen.connect(self._onChosen)
        bar.dismissed.connect(self._onDismissed)

    def ask(self, questions: Sequence[Question]) -> None:
        """Ask these instead of what was asked before."""
        self._questions, self._asked = tuple(questions), 0
        self._show()

    def close(self) -> None:
        """Ask no more."""
        self.ask(())

    def release(self) -> None:
        """Let go of everything, so that the panel can be made anew."""
        self.answered.disconnectAll()
        self.moved.disconnectAll()

    def _show(self) -> None:
        count = len(self._questions)
        if self._asked >= count:
            self._questions, self._asked = (), 0
            self._bar.close()
            return
        question = self._questions[self._asked]
        head = _("({number} of {count}) ").format(number=self._asked + 1, count=count) if count > 1 else ""
        self._bar.ask(head + question.message, question.choices)

    def _onChosen(self, number: int) -> None:
        name, prompts = self._questions[self._asked].answers[number]
        self.answered.emit(name, prompts)
        self._onDismissed()

    def _onDismissed(self) -> None:
        self._asked += 1
        self._show()
        self.moved.emit()
