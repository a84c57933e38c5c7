"""PET values as standardised uptake values, where a series' tags allow it.

The rules are those of the standard (PS3.3 C.8.9.1, Units, Decay Correction, SUV Type) and of QIBA's vendor-neutral
description of computing SUV. Where a tag that the number depends on is missing or improbable, there is no SUV.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from pydicom.dataset import Dataset

from SATSegmentLib.errors import ScanError
from SATSegmentLib.scans.dicom.frames import Frame
from SATSegmentLib.scans.dicom.pet_header import PetHeader
from SATSegmentLib.scans.dicom.series import Series

PetUnit = Literal["stored", "suvbw", "suvlbm", "suvlbm-janma"]
_NAMES: dict[str, str] = {
    "suvbw": "SUV by body weight",
    "suvlbm": "SUV by lean body mass",
    "suvlbm-janma": "SUV by lean body mass (Janmahasatian)",
}
_CODES = {"suvbw": "g/ml{SUVbw}", "suvlbm": "g/ml{SUVlbm}", "suvlbm-janma": "g/ml{SUVlbm(Janma)}"}
_UNITS = {"BQML": "Bq/ml", "CNTS": "counts", "GML": "g/ml", "CPS": "counts/s", "PROPCNTS": "counts"}
# SUV Type of images that are in g/ml already.
_TYPES = {"": "suvbw", "BW": "suvbw", "LBM": "suvlbm", "LBMJANMA": "suvlbm-janma"}
# A dose below a megabecquerel was written in other units; nobody measures after ten half-lives.
_LEAST_DOSE_BQ, _MOST_HALF_LIVES = 1e6, 10


class _NoSuv(Exception):
    """Why there is no SUV."""


def stored_unit(series: Series) -> str:
    """The unit of a series' values as they are stored; empty where the file does not say."""
    if series.sat_modality == "ct":
        units = {frame.rescale.unit for frame in series.unique[0]}
        declared = all(frame.rescale.declared for frame in series.unique[0])
        return "HU" if declared and units <= {"", "HU"} else ", ".join(sorted(units - {""}))
    if series.sat_modality != "pet":
        return ""
    return _UNITS.get(str(PetHeader(series.unique[0][0]).get("Units", "")).strip(), "")


def suv_factor(series: Series, frames: Sequence[Frame], unit: PetUnit) -> tuple[str, float]:
    """The unit and the factor that the rescaled values are multiplied by.

    Parameters
    ----------
    unit : PetUnit
        "suvbw" (body weight), "suvlbm" (lean body mass of James, with 120 for men), or "suvlbm-janma" (lean body
        mass of Janmahasatian).

    Raises
    ------
    ScanError
        There is no such SUV for this series, and why.
    """
    try:
        if series.sat_modality != "pet":
            raise _NoSuv(f"it is {series.modality}, not PET")
        return _CODES[unit], _factor([PetHeader(frame) for frame in frames], unit)
    except _NoSuv as reason:
        raise ScanError(
            f"There is no {_NAMES[unit]} for the series {series.description!r}: {reason}.",
            "Read it in the unit it is stored in, or export it with its radiopharmaceutical and patient data.",
        ) from None


def _factor(headers: Sequence[PetHeader], unit: PetUnit) -> float:
    data = headers[0]
    stored = str(data.get("Units", "")).strip()
    if any(str(one.get("Units", "")).strip() != stored for one in headers):
        raise _NoSuv("its slices are in different units")
    if stored == "GML":
        kind = str(data.get("SUVType", "") or "").strip()
        if _TYPES.get(kind) != unit:
            raise _NoSuv(f"its values are SUV of another kind already ({kind or 'BW'})")
        return 1.0
    if stored == "CNTS":
        return _philips(headers, unit)
    if stored != "BQML":
        raise _NoSuv(f"its values are in {stored or 'an unknown unit'}, not in Bq/ml")
    return _body_grams(data, unit) / _dose_at_scan(headers)


def _philips(headers: Sequence[PetHeader], unit: PetUnit) -> float:
    """Counts are turned into SUV by Philips' own factors only."""
    data = headers[0]
    if _creator(data, 0x7053) != "Philips PET Private Group":
        raise _NoSuv("its values are counts, and nothing says how many becquerels a count is")
    suv, activity = (_private_number(data, (0x7053, element)) for element in (0x1000, 0x1009))
    if any((_private_number(one, (0x7053, 0x1000)), _private_number(one, (0x7053, 0x1009))) != (suv, activity)
           for one in headers):  # fmt: skip
        raise _NoSuv("its slices have different scale factors")
    if suv and unit == "suvbw":
        return suv
    if activity:
        return activity * _body_grams(data, unit) / _dose_at_scan(headers)
    raise _NoSuv("its values are counts, and Philips' scale factors are zero or missing")


def _body_grams(data: PetHeader, unit: PetUnit) -> float:
    """Body weight, or lean body mass."""
    weight = _number(data, "PatientWeight", "the patient's weight")
    if not 0.5 <= weight <= 500:
        raise _NoSuv(f"a patient's weight of {weight:g} kg is implausible")
    if unit == "suvbw":
        return weight * 1000
    metres, sex = _number(data, "PatientSize", "the patient's size"), str(data.get("PatientSex", "")).strip()
    if not 0.3 <= metres <= 2.6:
        raise _NoSuv(f"a patient's size of {metres:g} m is implausible")
    if sex not in ("M", "F"):
        raise _NoSuv("lean body mass depends on the patient's sex, which is not given as M or F")
    if unit == "suvlbm-janma":
        base, slope = (6680, 216) if sex == "M" else (8780, 244)
        return 9270 * weight / (base + slope * weight / metres**2) * 1000
    linear, square = (1.10, 120) if sex == "M" else (1.07, 148)
    lean = linear * weight - square * (weight / (metres * 100)) ** 2
    if lean <= 0:
        raise _NoSuv("the formula of lean body mass does not hold for a patient of this weight and size")
    return lean * 1000


def _dose_at_scan(headers: Sequence[PetHeader]) -> float:
    """The injected dose, decayed to the time that the values were decay-corrected to, in Bq."""
    data = headers[0]
    parts = data.get("CorrectedImage") or []
    corrected = {str(part).strip() for part in ([parts] if isinstance(parts, str) else parts)}
    if not {"ATTN", "DECY"} <= corrected:
        lacking = " and ".join(n for k, n in (("ATTN", "attenuation"), ("DECY", "decay")) if k not in corrected)
        raise _NoSuv(f"it is not corrected for {lacking}")
    drug = (data.get("RadiopharmaceuticalInformationSequence") or [Dataset()])[0]
    dose = _number(drug, "RadionuclideTotalDose", "the injected dose")
    if dose < _LEAST_DOSE_BQ:
        raise _NoSuv(f"a dose of {dose:g} Bq is implausible (it may be in another unit)")
    correction = str(data.get("DecayCorrection", "")).strip()
    if correction == "ADMIN":
        return dose
    # Enhanced PET says to when its values were corrected, in so many words.
    stated = _parsed(str(data.get("DecayCorrectionDateTime", "") or ""))
    if correction != "START" and stated is None:
        raise _NoSuv(f"its decay correction is {correction or 'not given'}, neither START nor ADMIN")
    half_life = _number(drug, "RadionuclideHalfLife", "the half-life")
    start = stated or _scan_start(headers, half_life)
    seconds = (start - _injection(drug, start)).total_seconds()
    if not 0 <= seconds <= _MOST_HALF_LIVES * half_life:
        raise _NoSuv(f"the scan starts {seconds / 60:.0f} minutes after the injection, which is implausible")
    return dose * float(2 ** (-seconds / half_life))


def _scan_start(headers: Sequence[PetHeader], half_life: float) -> datetime:
    """To when a correction to START goes back: the series' time, unless it was overwritten by later processing."""
    series = _moment(headers[0], "Series")
    acquisitions = [(moment, one) for one in headers if (moment := _moment(one, "Acquisition"))]
    if not acquisitions:
        raise _NoSuv("its acquisition time is missing")
    earliest, data = min(acquisitions, key=lambda pair: pair[0])
    if series is not None and series <= earliest:
        return series
    # General Electric's own record of the scan's start.
    scanned = _parsed(str(data[0x0009, 0x100D].value)) if (0x0009, 0x100D) in data else None
    if scanned and _creator(data, 0x0009) == "GEMS_PETD_01":
        return scanned
    reference, duration = data.get("FrameReferenceTime"), data.get("ActualFrameDuration")
    if not reference or not duration:
        raise _NoSuv("its series time is later than its acquisition, and there is no frame reference time instead")
    decay = math.log(2) / half_life
    span = decay * float(duration) / 1000
    average = math.log(span / (1 - math.exp(-span))) / decay
    return earliest - timedelta(milliseconds=float(reference)) + timedelta(seconds=average)


def _injection(drug: Dataset, start: datetime) -> datetime:
    whole = _parsed(str(drug.get("RadiopharmaceuticalStartDateTime", "") or ""))
    if whole is not None:
        return whole
    time = str(drug.get("RadiopharmaceuticalStartTime", "") or "").strip()
    found = _parsed(f"{start:%Y%m%d}{time}") if time else None
    if found is None:
        raise _NoSuv("the time of the injection is missing")
    # The time alone has no date: an injection before midnight belongs to the day before.
    return found if found <= start else found - timedelta(days=1)


def _moment(data: PetHeader, name: str) -> datetime | None:
    if name == "Acquisition" and data.get("AcquisitionDateTime"):
        return _parsed(str(data.get("AcquisitionDateTime")))
    date, time = (str(data.get(f"{name}{part}", "") or "").strip() for part in ("Date", "Time"))
    return _parsed(date + time) if date and time else None


def _parsed(text: str) -> datetime | None:
    digits, _, fraction = text.strip().partition("&")[0].partition("+")[0].partition("-")[0].partition(".")
    try:
        moment = datetime.strptime(digits[:14], "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return moment + timedelta(seconds=float(f"0.{fraction}")) if fraction.isdecimal() else moment


def _number(data: PetHeader | Dataset, name: str, words: str) -> float:
    try:
        value = float(data.get(name))
    except (TypeError, ValueError):
        value = 0.0
    if not math.isfinite(value) or value <= 0:
        raise _NoSuv(f"{words} is missing")
    return value


def _creator(data: PetHeader, group: int) -> str:
    return str(data[group, 0x0010].value).strip() if (group, 0x0010) in data else ""


def _private_number(data: PetHeader, tag: Any) -> float:
    try:
        return float(data[tag].value) if tag in data else 0.0
    except (TypeError, ValueError):
        return 0.0


def suv_words(series: Series) -> str:
    """Whether a PET series can be read in SUV by body weight, in words; empty where it is no PET."""
    if series.sat_modality != "pet":
        return ""
    try:
        factor = suv_factor(series, series.unique[0], "suvbw")[1]
    except ScanError as error:
        return error.message
    return f"available: SUV by body weight is the stored value times {factor:.6g}"
