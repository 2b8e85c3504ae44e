"""What Whisper is known to say where nobody speaks: the ends of videos and the credits of subtitles that it was trained on.

Gathered from what users report to Whisper and to the tools built on it. In the form of `bare`: lower case, no punctuation.
"""

# ruff: noqa: RUF001 - letters of other alphabets are meant

from __future__ import annotations

from trax.asr.repeats import bare

#: Whole segments. People do say these: only weak evidence makes one a stock phrase.
_SIGN_OFFS = frozenset({
    *("you", "thank you", "thanks", "thank you so much", "thank you very much", "bye", "bye bye", "okay", "so", "the end"),
    *("thanks for watching", "thank you for watching", "thank you so much for watching", "thank you for listening", "please subscribe"),
    *("thanks for listening", "see you next time", "see you in the next video", "ill see you in the next video", "like and subscribe"),
    *("please subscribe to my channel", "please like and subscribe", "dont forget to subscribe", "dont forget to like and subscribe"),
    *("vielen dank", "vielen dank fürs zuschauen", "danke fürs zuschauen", "bis zum nächsten mal", "tschüss"),
    *("merci", "merci davoir regardé", "merci davoir regardé cette vidéo", "merci à tous", "abonnez vous"),
    *("gracias", "gracias por ver", "gracias por ver el video", "gracias por ver el vídeo", "suscríbete", "suscríbete al canal"),
    *("obrigado", "obrigado por assistir", "obrigada por assistir", "inscreva se no canal", "até a próxima"),
    *("grazie", "grazie a tutti", "grazie per la visione", "grazie per aver guardato il video"),
    *("bedankt voor het kijken", "dank u wel voor het kijken", "tot de volgende keer"),
    *("dziękuję", "dziękuję za uwagę", "dziękuję za oglądanie", "dzięki za oglądanie"),
    *("tack för att ni tittade", "tack för att du tittade", "takk for at du så på", "tak fordi i så med", "kiitos kun katsoitte"),
    *("спасибо за внимание", "спасибо за просмотр", "продолжение следует", "дякую за перегляд", "до нових зустрічей"),
    *("izlediğiniz için teşekkür ederim", "izlediğiniz için teşekkürler", "děkuji za pozornost", "děkujeme za sledování"),
    *("ご視聴ありがとうございました", "ご清聴ありがとうございました", "ありがとうございました", "おやすみなさい"),
    *("谢谢观看", "谢谢大家", "感谢观看", "謝謝觀看", "謝謝大家"),
    *("시청해주셔서 감사합니다", "시청해 주셔서 감사합니다", "구독과 좋아요 부탁드립니다", "شكرا للمشاهدة", "شكرا على المشاهدة"),
})

#: What credits hold, wherever in the segment: nobody says them.
_CREDITS = (
    *("amara org", "amaraorg", "subtitles by", "subtitled by", "captions by", "captioning by", "castingwords", "opensubtitles"),
    *("untertitel im auftrag des", "untertitelung des zdf", "untertitel der amara", "untertitelung im auftrag", "untertitel von"),
    *("sous titres réalisés", "sous titres par", "sous titrage st", "sous titrage société radio canada"),
    *("subtítulos realizados por", "subtítulos por la comunidad", "legendas pela comunidade", "sottotitoli creati", "revisione a cura di"),
    *("ondertitels ingediend door", "ondertiteling door", "tv gelderland", "napisy stworzone przez", "napisy wykonane przez"),
    *("undertekster av", "undertexter från", "danske tekster af", "tekster af nicolai winther", "altyazı m k", "titulky vytvořil"),
    *("субтитры сделал", "субтитры создавал", "редактор субтитров", "субтитры подготовил", "корректор а егорова", "субтитрувальниця"),
    *("字幕by", "字幕由", "字幕志愿者", "请不吝点赞", "請不吝點贊", "자막 제공", "한글자막 by", "ترجمة نانسي"),
)


def is_stock_phrase(text: str) -> bool:
    """Whether the text of a segment is one of those: a sign-off as a whole, perhaps several times over, or with the words of credits."""
    said = bare(text)
    return any(said == phrase or _is_repeated(said, phrase) for phrase in _SIGN_OFFS) or any(
        f" {credit} " in f" {said} " or (not credit.isascii() and credit in said) for credit in _CREDITS
    )


def _is_repeated(said: str, phrase: str) -> bool:
    return said.startswith(phrase) and not said.replace(phrase, "").strip()
