//! Settings about telephone numbers: the countries that codes are sent to.

use super::values::SettingType;
use crate::directory::model::CallingCode;

impl SettingType for CallingCode {
    type Parsed = Self;
    const NAME: &'static str = "CODE";

    fn allowed() -> String {
        "a calling code with its plus, such as +49".into()
    }

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| text.into())
    }

    fn show(value: &Self) -> String {
        value.to_string()
    }
}

/// Beginnings of telephone numbers.
#[derive(Debug)]
pub enum CallingCodes {}

impl SettingType for CallingCodes {
    type Parsed = Vec<CallingCode>;
    const NAME: &'static str = "CODES";
    const LIST: bool = true;

    fn allowed() -> String {
        "calling codes with their plus and commas between them, such as +49,+43, or an empty value".into()
    }

    fn parse(text: &str) -> Result<Vec<CallingCode>, String> {
        let codes = text.split(',').map(str::trim).filter(|code| !code.is_empty());
        codes.map(|code| CallingCode::parse(code).ok_or_else(|| code.to_owned())).collect()
    }

    fn show(codes: &Vec<CallingCode>) -> String {
        codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calling_codes_are_a_list() {
        let parse = |text| CallingCodes::parse(text).map(|codes| CallingCodes::show(&codes));
        assert_eq!(parse("+49, +1876 ,").as_deref(), Ok("+49,+1876"));
        assert_eq!(parse("").as_deref(), Ok(""));
        assert_eq!(parse("+49,DE"), Err("DE".to_owned()));
        assert_eq!(<CallingCode as SettingType>::parse("49"), Err("49".to_owned()));
    }
}
